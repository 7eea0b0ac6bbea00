// SPDX-License-Identifier: Apache-2.0
// What the sums of convolutions reach on real images, and how often an accumulator changes them. The
// engine itself makes both: beside each convolution stand one that writes its accumulator as it is and
// one that writes the exact sum of the same codes.
import { Engine } from '../engine/engine.js';
import { withSums } from '../golden/index.js';
import type { CodeTensor, RunResult } from '../program/executor.js';
import type { Accumulator, Program } from '../program/program.js';
import { prove } from '../prove/index.js';
import type { ReachedSums } from '../report/index.js';

/** A program that measures its own sums while it runs. */
export interface SumMeter {
  /** To be run in the place of the program: same operations, same values, more taps. */
  readonly program: Program;
  /** Taps that `add` needs. */
  readonly taps: readonly string[];
  add(result: RunResult): void;
  /** By name of the convolution; of none before the first image. */
  result(): ReadonlyMap<string, ReachedSums>;
}

const exact: Omit<Accumulator, 'biasFirst'> = {
  bits: 32,
  overflow: 'wrap',
  when: 'end',
  products: 'exact',
};

/**
 * Convolutions whose sums leave 32 bits are not measured: no tensor holds these. An accumulator that traps
 * gives way to an exact one, as nothing can be measured behind a trap.
 * @param only names of the convolutions to measure
 */
export function meterSums(given: Program, only: ReadonlySet<string>): SumMeter {
  const layers = measurable(given).filter((name) => only.has(name));
  const requests = layers.map((layer) => ({ layer, step: 0 }));
  // Where nothing is measured nothing changes.
  const untrapped = layers.length === 0 ? given : withoutTraps(given);
  const own = withSums(untrapped, requests);
  const whole = withSums(withExact(own.program, new Set(layers)), requests);
  // The convolutions themselves keep their own accumulators.
  const program = restore(whole.program, untrapped);
  const pairs = layers.map((layer) => ({
    layer,
    own: own.taps.get(layer)![0]!,
    exact: whole.taps.get(layer)![0]!,
    bits: given.ops.flatMap((op) =>
      op.op === 'conv' && op.name === layer ? [op.accumulator] : [],
    )[0]!,
  }));
  const counts = new Map<string, SumCount>();
  return {
    program,
    taps: pairs.flatMap((pair) => [pair.own, pair.exact]),
    add: ({ taps }) => {
      for (const pair of pairs) {
        const count = counts.get(pair.layer) ?? new SumCount(pair.bits);
        count.add(taps.get(pair.exact)!, taps.get(pair.own)!);
        counts.set(pair.layer, count);
      }
    },
    result: () => new Map([...counts].map(([layer, count]) => [layer, count.result()])),
  };
}

/**
 * Convolutions that a certificate does not clear and whose accumulators go on all the same: one that traps
 * ends the run, and that is the result then.
 */
export function unprovenLayers(program: Program): ReadonlySet<string> {
  if (trappingLayers(program).size > 0) return new Set();
  const { layers } = prove(program);
  return new Set(layers.filter(({ ok, op }) => !ok && op === 'conv').map(({ name }) => name));
}

function measurable(program: Program): readonly string[] {
  const engine = Engine.load(withExact(program, new Set(program.ops.map(({ name }) => name))));
  const fitting = engine.layers.filter(
    ({ accumulatorMin, accumulatorMax }) =>
      accumulatorMin >= -(2 ** 31) && accumulatorMax < 2 ** 31,
  );
  engine.close();
  const names = new Set(fitting.map(({ name }) => name));
  return program.ops
    .filter(({ op, name }) => op === 'conv' && names.has(name))
    .map(({ name }) => name);
}

function withoutTraps(program: Program): Program {
  return withExact(program, trappingLayers(program));
}

function trappingLayers(program: Program): ReadonlySet<string> {
  const trapping = program.ops.filter(
    (op) => op.op === 'conv' && op.accumulator.overflow === 'trap',
  );
  return new Set(trapping.map(({ name }) => name));
}

function withExact(program: Program, layers: ReadonlySet<string>): Program {
  const ops = program.ops.map((op) =>
    op.op === 'conv' && layers.has(op.name)
      ? { ...op, accumulator: { ...op.accumulator, ...exact } }
      : op,
  );
  return { ...program, ops };
}

function restore(program: Program, original: Program): Program {
  const ops = new Map(original.ops.map((op) => [op.name, op]));
  const restored = program.ops.map((op) => {
    const before = ops.get(op.name);
    return op.op === 'conv' && before?.op === 'conv'
      ? { ...op, accumulator: before.accumulator }
      : op;
  });
  return { ...program, ops: restored };
}

class SumCount {
  private min = Infinity;
  private max = -Infinity;
  private changed = 0;
  private count = 0;

  constructor(private readonly accumulator: Accumulator) {}

  add(exactSums: CodeTensor, ownSums: CodeTensor): void {
    const { data } = exactSums;
    // A trap has no value of its own: what it would not hold is counted.
    const holds = this.accumulator.overflow === 'trap' ? this.limits() : undefined;
    for (let i = 0; i < data.length; i++) {
      const sum = data[i]!;
      if (sum < this.min) this.min = sum;
      if (sum > this.max) this.max = sum;
      const isChanged =
        holds === undefined ? ownSums.data[i] !== sum : sum < holds.min || sum > holds.max;
      if (isChanged) this.changed++;
    }
    this.count += data.length;
  }

  result(): ReachedSums {
    const { min, max, changed, count } = this;
    return { min, max, bits: bitsOf(min, max), changedPercent: (100 * changed) / count };
  }

  private limits(): { readonly min: number; readonly max: number } {
    const { bits } = this.accumulator;
    return { min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 };
  }
}

/** Width of two's complement that holds both. */
function bitsOf(min: number, max: number): number {
  let bits = 1;
  while (min < -(2 ** (bits - 1)) || max > 2 ** (bits - 1) - 1) bits++;
  return bits;
}
