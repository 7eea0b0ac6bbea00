// SPDX-License-Identifier: Apache-2.0
import { codeLimits } from '../../numeric/code-types.js';
import type { ConvOp } from '../program.js';
import { windowOutput } from '../window.js';
import { centred, int32, maxSide, requireShape, type Context } from './place.js';
import { checkClamp, checkRequant, type Accumulators } from './requant.js';
import type { Interval } from './stages.js';
import { checkWindow } from './window.js';

export function checkConv(op: ConvOp, context: Context): void {
  const { place, input, output } = context;
  checkWindow(op, context);
  place.integer(op.groups, [1, maxSide], 'groups');
  place.require(
    input.channels % op.groups === 0 && output.channels % op.groups === 0,
    () =>
      `expected groups to divide ${input.channels} and ${output.channels} channels, got ${op.groups}`,
  );
  requireShape(context, ...windowOutput(op, input.height, input.width), op.bias.length);
  const perChannel = (op.kernel[0] * op.kernel[1] * input.channels) / op.groups;
  const weightCount = output.channels * perChannel;
  place.integer(op.weights.length, [weightCount, weightCount], 'the number of weights');
  place.entries(op.weightZeroPoints, output.channels, 'weight zero points');
  place.integers(op.weights, codeLimits(op.weightType), 'a weight');
  place.integers(op.weightZeroPoints, codeLimits(op.weightType), 'a weight zero point');
  place.integers(op.bias, int32, 'a bias');
  checkAccumulator(op, context);
  const bounds = checkedBounds(op, context, perChannel);
  checkRequant(op.requant, context, accumulators(op, bounds));
  checkClamp(op.clamp, output.channels, context);
}

function checkAccumulator(
  { accumulator, weightType, weightZeroPoints }: ConvOp,
  context: Context,
): void {
  const { place, input } = context;
  place.integer(accumulator.bits, [16, 64], 'accumulator bits');
  if (accumulator.products === 'exact') return;
  place.require(
    input.dtype === 'u8' &&
      weightType === 's8' &&
      weightZeroPoints.every((z) => z === 0) &&
      accumulator.when === 'end',
    () => 'satPairs16 needs u8 codes, s8 weights with zero points 0, and overflow at the end',
  );
}

/** |bias| + the sum of |w - zw| * max |x - z| for each channel: no partial sum exceeds it. */
function checkedBounds(op: ConvOp, { place, input }: Context, perChannel: number): bigint[] {
  const [least, greatest] = centred(input);
  // Raw codes and z * w where pairs saturate: at most twice the range of u8.
  const pixel = op.accumulator.products === 'satPairs16' ? 510 : Math.max(-least, greatest);
  return Array.from(op.bias, (bias, o) => {
    const zero =
      op.weightZeroPoints.length === 1 ? op.weightZeroPoints[0]! : op.weightZeroPoints[o]!;
    let sum = 0;
    for (let i = o * perChannel; i < (o + 1) * perChannel; ++i)
      sum += Math.abs(op.weights[i]! - zero);
    const bound = BigInt(Math.abs(bias)) + BigInt(sum) * BigInt(pixel);
    place.require(bound < 1n << 62n, () => `channel ${o}: a sum may leave 63 bits`);
    return bound;
  });
}

/** Where nothing overflows the bound holds, elsewhere the accumulator's width. */
function accumulators({ accumulator: { bits } }: ConvOp, bounds: readonly bigint[]): Accumulators {
  const half = 1n << BigInt(bits - 1);
  const interval = (o: number): Interval => {
    const bound = bounds[o]!;
    return [bound > half ? -half : -bound, bound > half - 1n ? half - 1n : bound];
  };
  return { channels: bounds.length, interval, wide: bits > 32 };
}
