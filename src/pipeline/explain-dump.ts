// SPDX-License-Identifier: Apache-2.0
// Which usual mistake would make the dump of the first layer that differs: rounding rules, shifts, zero
// points, clamps and operands are exchanged one at a time, and the one that makes the device's codes is named.
import { Engine } from '../engine/engine.js';
import { faultsOf, layerNumbers, requantizationInWords, withSums } from '../golden/index.js';
import type { Codes } from '../numeric/code-types.js';
import type { CodeTensor } from '../program/executor.js';
import { entry } from '../program/per-channel.js';
import type { ConvOp, Program, Requant } from '../program/program.js';
import type { DumpExplanation } from '../report/index.js';

/** Faults shown, and the share of the difference that one has to explain. */
const shown = 3;
const explained = 0.9;

/**
 * @param codes of the network's input
 * @param taps the target's own values
 * @param dump the device's codes of the layer, NHWC
 * @returns undefined for layers without sums, or whose sums leave 32 bits
 */
export async function explainDump(
  program: Program,
  layer: string,
  codes: Codes,
  taps: ReadonlyMap<string, CodeTensor>,
  dump: ArrayLike<number>,
): Promise<DumpExplanation | undefined> {
  const op = program.ops.find(({ name }) => name === layer);
  if (op?.op !== 'conv') return undefined;
  const [input, output] = [op.inputs[0]!, op.output].map((index) =>
    taps.get(program.tensors[index]!.name)!,
  );
  const sums = await sumsOf(program, op, codes);
  if (sums === undefined) return undefined;
  const numbers = layerNumbers(program, op, input!, output!, sums);
  const own = output!.data;
  const first = own.findIndex((code, i) => dump[i] !== code);
  const differing = countDifferent(dump, (i) => own[i]!);
  const faults = faultsOf(numbers)
    .map(({ name, codeAt }) => ({ name, unexplained: countDifferent(dump, codeAt) }))
    .filter(({ unexplained }) => unexplained <= (1 - explained) * differing)
    .sort((a, b) => a.unexplained - b.unexplained);
  return {
    accumulator: sums[first]!,
    ...factorAt(op.requant, first % output!.channels),
    requantization: requantizationInWords(op),
    faults: faults.slice(0, shown),
  };
}

async function sumsOf(program: Program, op: ConvOp, codes: Codes): Promise<Codes | undefined> {
  const plain = Engine.load(program);
  const facts = plain.layers.find(({ name }) => name === op.name)!;
  plain.close();
  if (facts.accumulatorMin < -(2 ** 31) || facts.accumulatorMax >= 2 ** 31) return undefined;
  const summing = withSums(program, [{ layer: op.name, step: 0 }]);
  const [tap] = summing.taps.get(op.name)!;
  const engine = Engine.load(summing.program);
  try {
    const { taps } = await engine.run(codes, { taps: [tap!] });
    return taps.get(tap!)?.data;
  } finally {
    engine.close();
  }
}

function countDifferent(dump: ArrayLike<number>, codeAt: (index: number) => number): number {
  let count = 0;
  for (let i = 0; i < dump.length; i++) if (dump[i] !== codeAt(i)) count++;
  return count;
}

function factorAt(
  requant: Requant,
  channel: number,
): Pick<DumpExplanation, 'multiplier' | 'shift'> {
  switch (requant.kind) {
    case 'fixed':
      return {
        multiplier: entry(requant.multiplier, channel),
        shift: entry(requant.shift, channel),
      };
    case 'shift':
      return { shift: entry(requant.shift, channel) };
    case 'f32':
    case 'f32Rule':
    case 'f64':
      return { multiplier: entry(requant.scale, channel) };
    case 'stages':
    case 'none':
      return {};
  }
}
