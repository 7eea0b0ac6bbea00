// SPDX-License-Identifier: Apache-2.0
// Accumulators of convolutions by their definition in src/program/NOTES.md.
import type { ConvOp, Program } from '../../src/program/program.js';

/**
 * Sums of a convolution, one product after the other; an accumulator that traps is taken to saturate.
 * @param count products of each sum, the bias being part of whole sums alone where it comes last
 */
export function sumsByHand(
  program: Program,
  op: ConvOp,
  x: ArrayLike<number>,
  count: number,
): bigint[] {
  const input = program.tensors[op.inputs[0]!]!;
  const output = program.tensors[op.output]!;
  const perGroup = input.channels / op.groups;
  const outputsPerGroup = op.bias.length / op.groups;
  const sums: bigint[] = [];
  for (let y = 0; y < output.height; y++)
    for (let xx = 0; xx < output.width; xx++)
      for (let o = 0; o < output.channels; o++) {
        const bias = BigInt(op.bias[o]!);
        const { when, biasFirst } = op.accumulator;
        const each = (v: bigint) => (when === 'each' ? overflow(v, op) : v);
        let sum = biasFirst ? each(bias) : 0n;
        let taken = 0;
        for (let ky = 0; ky < op.kernel[0]; ky++)
          for (let kx = 0; kx < op.kernel[1]; kx++)
            for (let i = 0; i < perGroup; i++, taken++) {
              const row = y * op.strides[0] + ky * op.dilations[0] - op.pads[0];
              const column = xx * op.strides[1] + kx * op.dilations[1] - op.pads[1];
              const isInside =
                row >= 0 && row < input.height && column >= 0 && column < input.width;
              if (taken >= count || !isInside) continue;
              const channel = Math.floor(o / outputsPerGroup) * perGroup + i;
              const code = x[(row * input.width + column) * input.channels + channel]!;
              const place = ((o * op.kernel[0] + ky) * op.kernel[1] + kx) * perGroup + i;
              const zero = op.weightZeroPoints[op.weightZeroPoints.length === 1 ? 0 : o]!;
              sum = each(sum + BigInt(code - input.zeroPoint) * BigInt(op.weights[place]! - zero));
            }
        const isWhole = count >= op.weights.length / op.bias.length;
        if (!biasFirst && isWhole) sum = each(sum + bias);
        sums.push(when === 'end' ? overflow(sum, op) : sum);
      }
  return sums;
}

function overflow(v: bigint, { accumulator: { bits, overflow: mode } }: ConvOp): bigint {
  const half = 1n << BigInt(bits - 1);
  const min = mode === 'saturateSymmetric' ? 1n - half : -half;
  if (v >= min && v < half) return v;
  return mode === 'wrap' ? BigInt.asIntN(bits, v) : v < 0n ? min : half - 1n;
}
