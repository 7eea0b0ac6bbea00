// SPDX-License-Identifier: Apache-2.0
import type { Codes } from '../numeric/code-types.js';
import type { Trap } from '../program/executor.js';
import type { ConvOp, Program } from '../program/program.js';
import { forEachPixel } from '../program/window.js';

/** What was added to what when an accumulator left its range. */
export interface TrapOperands {
  /** Of the output element. */
  readonly position: readonly [y: number, x: number, channel: number];
  /** The accumulator before; undefined where only the whole sum is looked at. */
  readonly sum: bigint | undefined;
  /** What was added: a product, the bias, or the whole sum. */
  readonly added:
    | {
        readonly kind: 'product';
        /** The code less its zero point. */
        readonly input: number;
        /** The weight less its zero point. */
        readonly weight: number;
        /** Input pixel, row and column, and channel. */
        readonly at: readonly [y: number, x: number, channel: number];
      }
    | { readonly kind: 'bias' | 'sum'; readonly value: bigint };
}

/**
 * Repeats the sum of one element up to the trap.
 * @param codes of the trapped layer's input
 * @returns undefined where the layer is not in the program
 */
export function explainTrap(program: Program, trap: Trap, codes: Codes): TrapOperands | undefined {
  const op = program.ops.find(({ name }) => name === trap.layer);
  if (op?.op !== 'conv') return undefined;
  const output = program.tensors[op.output]!;
  const channel = trap.element % output.channels;
  const pixel = Math.floor(trap.element / output.channels);
  const position = [Math.floor(pixel / output.width), pixel % output.width, channel] as const;
  const { accumulator } = op;
  const bias = BigInt(op.bias[channel]!);
  if (accumulator.when === 'end' || accumulator.products !== 'exact') {
    return { position, sum: undefined, added: { kind: 'sum', value: trap.value } };
  }
  let sum = accumulator.biasFirst ? bias : 0n;
  if (!fits(sum, accumulator.bits)) {
    return { position, sum: 0n, added: { kind: 'bias', value: bias } };
  }
  for (const term of terms(program, op, position, codes)) {
    const next = sum + BigInt(term.input * term.weight);
    if (!fits(next, accumulator.bits))
      return { position, sum, added: { kind: 'product', ...term } };
    sum = next;
  }
  return { position, sum, added: { kind: 'bias', value: bias } };
}

function fits(value: bigint, bits: number): boolean {
  return BigInt.asIntN(bits, value) === value;
}

interface Term {
  readonly input: number;
  readonly weight: number;
  readonly at: readonly [y: number, x: number, channel: number];
}

/** In the order of the specification: ky, kx, then input channel. */
function terms(
  program: Program,
  op: ConvOp,
  [oy, ox, o]: readonly [number, number, number],
  codes: Codes,
): Term[] {
  const input = program.tensors[op.inputs[0]!]!;
  const count = input.channels / op.groups;
  const first = Math.floor(o / (op.bias.length / op.groups)) * count;
  const zero = op.weightZeroPoints[op.weightZeroPoints.length === 1 ? 0 : o]!;
  const found: Term[] = [];
  forEachPixel(op, input, oy, ox, (pixel, position) => {
    for (let i = 0; i < count; i++) {
      const weight = op.weights[(o * op.kernel[0] * op.kernel[1] + position) * count + i]! - zero;
      found.push({
        input: codes[pixel * input.channels + first + i]! - input.zeroPoint,
        weight,
        at: [Math.floor(pixel / input.width), pixel % input.width, first + i],
      });
    }
  });
  return found;
}
