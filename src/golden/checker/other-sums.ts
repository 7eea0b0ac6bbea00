// SPDX-License-Identifier: Apache-2.0
// Accumulators of a convolution whose operands are read wrongly.
import type { Codes } from '../../numeric/code-types.js';
import { entry } from '../../program/per-channel.js';
import type { ConvOp, ProgramTensor } from '../../program/program.js';
import { forEachPixel } from '../../program/window.js';

/** What one output element's window holds besides its sum. */
interface WindowSums {
  /** Sum of weight - zero point over all taps, and over those inside of the image. */
  readonly weights: number;
  readonly inside: number;
  /** Sum of code - zero point over the taps inside. */
  readonly codes: number;
}

/**
 * The accumulators by fault, NHWC; faults that change nothing here are left out.
 *
 * @param accumulators the right ones
 */
export function otherSums(
  op: ConvOp,
  input: ProgramTensor,
  output: ProgramTensor,
  codes: Codes,
  accumulators: ArrayLike<number>,
): ReadonlyMap<string, Float64Array> {
  const hasPadding = op.pads.some((pad) => pad > 0);
  const hasWeightZero = op.weightZeroPoints.some((zero) => zero !== 0);
  const sums = new Map<string, Float64Array>();
  const add = (name: string, change: (window: WindowSums, channel: number) => number): void => {
    const all = new Float64Array(accumulators.length);
    each(op, input, output, codes, (index, channel, window) => {
      all[index] = accumulators[index]! + change(window, channel);
    });
    sums.set(name, all);
  };
  const zero = input.zeroPoint;
  if (zero !== 0) add('input zero point missing', ({ weights }) => zero * weights);
  if (zero !== 0 && hasPadding)
    add(
      'padding of 0 in the place of the input zero point',
      ({ weights, inside }) => -zero * (weights - inside),
    );
  if (hasWeightZero)
    add('weight zero point missing', ({ codes }, o) => entry(op.weightZeroPoints, o) * codes);
  return sums;
}

function each(
  op: ConvOp,
  input: ProgramTensor,
  output: ProgramTensor,
  codes: Codes,
  visit: (index: number, channel: number, window: WindowSums) => void,
): void {
  const count = input.channels / op.groups;
  const perGroup = op.bias.length / op.groups;
  const byTap = weightsByTap(op);
  const taps = op.kernel[0] * op.kernel[1];
  const whole = Float64Array.from(op.bias, (_, o) =>
    byTap.subarray(o * taps, (o + 1) * taps).reduce((a, b) => a + b, 0),
  );
  let index = 0;
  for (let y = 0; y < output.height; y++)
    for (let x = 0; x < output.width; x++)
      for (let o = 0; o < output.channels; o++, index++) {
        const first = Math.floor(o / perGroup) * count;
        let [inside, sum] = [0, 0];
        forEachPixel(op, input, y, x, (pixel, position) => {
          inside += byTap[o * taps + position]!;
          const from = pixel * input.channels + first;
          for (let i = 0; i < count; i++) sum += codes[from + i]! - input.zeroPoint;
        });
        visit(index, o, { weights: whole[o]!, inside, codes: sum });
      }
}

/** Sums of weight - zero point over the input channels, [O, taps]. */
function weightsByTap(op: ConvOp): Float64Array {
  const taps = op.kernel[0] * op.kernel[1];
  const count = op.weights.length / (op.bias.length * taps);
  const sums = new Float64Array(op.bias.length * taps);
  for (let i = 0; i < op.weights.length; i++) {
    const tap = Math.floor(i / count);
    sums[tap]! += op.weights[i]! - entry(op.weightZeroPoints, Math.floor(tap / taps));
  }
  return sums;
}
