// SPDX-License-Identifier: Apache-2.0
// Golden vectors of a program, layer by layer: the arrays that `golden` writes and `verify` makes again.
import { didYouMean, ModelError, UsageError } from '../errors.js';
import { Engine } from '../engine/engine.js';
import type { GoldenArray, LayerCheck, Layouts, SummingProgram, Taps } from '../golden/index.js';
import { imageArrays, layerCheck, registersOf, withSums } from '../golden/index.js';
import type { Codes } from '../numeric/code-types.js';
import type { Op, Program } from '../program/program.js';

/** Which vectors are wanted. */
export interface VectorChoice {
  /** Names of layers or of the tensors that they write, or numbers of layers; absent: all. */
  readonly layers?: readonly string[] | undefined;
  readonly accumulators: boolean;
  /** Products from one partial sum to the next. */
  readonly partialSums?: number | undefined;
}

/** One array of a layer; of one image, or of all. */
export interface LayerArray {
  readonly array: GoldenArray & { readonly tensor?: string };
  readonly image?: number;
}

/** A layer of one image. */
interface ImageLayer {
  readonly arrays: readonly LayerArray['array'][];
  /** The layer as a stream of its output, for checkers. */
  readonly check: (layouts: Layouts) => LayerCheck;
}

/** A program opened for vectors. */
export interface VectorRun {
  readonly ops: readonly Op[];
  /** What is left out, and why. */
  readonly notes: readonly string[];
  /** Registers and memories of a layer. */
  registers(op: Op): ReturnType<typeof registersOf>;
  /** What an image makes of each layer, by layer name. */
  image(codes: Codes): Promise<ReadonlyMap<string, ImageLayer>>;
  close(): void;
}

/**
 * Opens a program.
 * @throws UsageError `unknown-layer`
 */
export function openVectorRun(
  program: Program,
  choice: VectorChoice,
  options: { readonly threads?: number | undefined },
): VectorRun {
  const ops = chosenOps(program, choice.layers);
  const { summing, notes } = planSums(program, ops, choice);
  const engine = Engine.load(summing.program, { threads: options.threads ?? 1 });
  const input = program.tensors[program.input]!;
  return {
    ops,
    notes,
    registers: registersOf,
    image: async (codes) => {
      const { taps, trap } = await engine.run(codes, { taps: 'all' });
      if (trap !== undefined) throw trapped(trap.layer);
      const all = new Map([...taps, [input.name, { ...input, data: codes }]]);
      return new Map(
        ops.map((op) => [op.name, imageLayer(program, op, all, summing.taps)] as const),
      );
    },
    close: () => {
      engine.close();
    },
  };
}

function imageLayer(
  program: Program,
  op: Op,
  taps: Taps,
  sums: SummingProgram['taps'],
): ImageLayer {
  const tensorOf = (index: number) => taps.get(program.tensors[index]!.name)!;
  const whole = sums.get(op.name)?.at(-1);
  return {
    arrays: imageArrays(program, op, taps, sums),
    check: (layouts) =>
      layerCheck(
        program,
        op,
        op.inputs.map(tensorOf),
        tensorOf(op.output),
        whole === undefined ? undefined : taps.get(whole)!.data,
        layouts,
      ),
  };
}

function trapped(layer: string): ModelError {
  return new ModelError(
    'trap',
    `layer "${layer}"`,
    'an accumulator of this target overflows on this image, so that what follows has no values; take another image, or see lastbit run',
  );
}

/** By name of the layer or of what it writes; else by the number that its folder begins with. */
function chosenOps(program: Program, names: readonly string[] | undefined): readonly Op[] {
  const { ops, tensors } = program;
  if (names === undefined || names.join() === 'all') return ops;
  const byName = new Map<string, Op>([
    ...ops.map((op, index) => [String(index), op] as const),
    ...ops.map((op) => [tensors[op.output]!.name, op] as const),
    ...ops.map((op) => [op.name, op] as const),
  ]);
  const chosen = new Set(names.map((name) => byName.get(name) ?? unknownLayer(name, ops)));
  return ops.filter((op) => chosen.has(op));
}

function unknownLayer(name: string, ops: readonly Op[]): never {
  throw new UsageError(
    'unknown-layer',
    `--layers "${name}"`,
    `expected the name of a layer, such as "${ops[0]!.name.slice(0, 200)}" or its number from 0 to ${ops.length - 1}${didYouMean(
      name,
      ops.map((op) => op.name),
    )}; lastbit prove lists them`,
  );
}

/** The sums that an int32 holds; of others it says why they are missing. */
function planSums(
  program: Program,
  ops: readonly Op[],
  { accumulators, partialSums = 0 }: VectorChoice,
): { readonly summing: SummingProgram; readonly notes: readonly string[] } {
  if (!accumulators && partialSums === 0) return { summing: withSums(program, []), notes: [] };
  const engine = Engine.load(program);
  const wide = new Set(
    engine.layers
      .filter(({ accumulatorMin, accumulatorMax }) => !fitsInt32(accumulatorMin, accumulatorMax))
      .map(({ name }) => name),
  );
  engine.close();
  const summed = ops.filter(({ op }) => op === 'conv');
  const left = summed.filter(({ name }) => wide.has(name));
  const requests = summed
    .filter(({ name }) => !wide.has(name))
    .map(({ name }) => ({ layer: name, step: partialSums }));
  return {
    summing: withSums(program, requests),
    notes: left.map(({ name }) => `accumulators of "${name}" leave 32 bits and are not written`),
  };
}

function fitsInt32(min: bigint | number, max: bigint | number): boolean {
  return min >= -(2 ** 31) && max < 2 ** 31;
}
