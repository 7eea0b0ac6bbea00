// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "conv".
import type { Accumulator, ConvOp } from '../program/program.js';
import { vectorOf } from './bounds.js';
import { type Integers, plus, remainder, within } from './integers.js';
import { finish } from './requantize.js';
import type { CodesTensor, Steps } from './steps.js';
import { type Weights, largestPartialSum, windowSums } from './sums.js';

export function writeConv(steps: Steps, op: ConvOp, input: CodesTensor, output: CodesTensor): void {
  const weights = centredWeights(op);
  if (op.accumulator.products === 'satPairs16') requireUnsaturatedPairs(steps, op);
  const sums = windowSums(steps, op, input, input.zeroPoint, weights);
  const exact = plus(sums, vectorOf(op.bias));
  const reach = largestPartialSum(input, input.zeroPoint, weights, op.bias);
  const a = overflowed(steps, exact, op.accumulator, reach);
  finish(steps, a, op.requant, op.clamp, output);
}

/** w - zw. */
function centredWeights({ weights, weightZeroPoints, bias, groups }: ConvOp): Weights {
  const perChannel = weights.length / bias.length;
  const values = new Int32Array(weights);
  for (let o = 0; o < bias.length; ++o) {
    const zero = weightZeroPoints[weightZeroPoints.length === 1 ? 0 : o]!;
    for (let i = o * perChannel; i < (o + 1) * perChannel; ++i) values[i]! -= zero;
  }
  return { values, channels: bias.length, groups };
}

/** @param reach no partial sum exceeds it */
function overflowed(
  steps: Steps,
  exact: Integers,
  { bits, overflow, when }: Accumulator,
  reach: bigint,
): Integers {
  const half = 1n << BigInt(bits - 1);
  if (reach < half) return exact;
  if (overflow === 'wrap') return wrapped(steps, exact, half);
  const least = overflow === 'saturateSymmetric' ? 1n - half : -half;
  if (when === 'end' && overflow !== 'trap') return within(steps, exact, [least], [half - 1n]);
  if (when === 'end' && exact.bounds.every(([lo, hi]) => lo >= least && hi < half)) return exact;
  return steps.refuse(
    overflow === 'trap'
      ? `its accumulator of ${bits} bits may trap, and no ONNX operator stops a run`
      : `its accumulator saturates to ${bits} bits at each addition, which no ONNX operator does`,
  );
}

/** To two's complement; wrapping each partial sum or the last one is the same. */
function wrapped(steps: Steps, exact: Integers, half: bigint): Integers {
  return plus(remainder(steps, plus(exact, [half]), [2n * half]), [-half]);
}

/** Pairs of products that cannot leave 16 bits are exact. */
function requireUnsaturatedPairs(steps: Steps, { weights, bias }: ConvOp): void {
  const perChannel = weights.length / bias.length;
  const saturates = (i: number): boolean => {
    const pair = [weights[i]!, (i % perChannel) + 1 < perChannel ? weights[i + 1]! : 0];
    const greatest = pair.reduce((total, w) => total + 255 * Math.max(w, 0), 0);
    const least = pair.reduce((total, w) => total + 255 * Math.min(w, 0), 0);
    return greatest > 32767 || least < -32768;
  };
  for (let first = 0; first < weights.length; first += perChannel) {
    for (let i = first; i < first + perChannel; i += 2) {
      if (saturates(i)) {
        steps.refuse('pairs of its products saturate to 16 bits, which no ONNX operator does');
      }
    }
  }
}
