// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Shape } from '../../graph/graph.js';

/** What the moments of a convolution's input make of those of its output. */
export interface ConvResponse {
  /**
   * Output means without the bias, [O], averaged over the positions: a tap that hangs over the
   * border there meets a zero.
   *
   * @param mean of the input's channels, [C]
   */
  mean(mean: Float64Array): Float64Array;
  /** The transpose of `mean`, [O] to [C]. */
  adjoint(values: Float64Array): Float64Array;
  /** Output variances, [O], if the values under a window were independent. */
  variance(variance: Float64Array): Float64Array;
  /**
   * What the assumption of equal means at all positions may cost `mean`: the square sum, over the
   * channels read, of what the taps miss at the border.
   *
   * @param variance of the mean over positions, by input channel
   */
  borderVariance(variance: Float64Array): Float64Array;
}

/**
 * @param weight [O, C/group, KH, KW]
 * @param inputShape [1, C, H, W]
 * @param outputShape [1, O, H', W']
 */
export function convResponse(
  conv: ConvNode,
  weight: { readonly data: ArrayLike<number>; readonly shape: Shape },
  inputShape: Shape,
  outputShape: Shape,
): ConvResponse {
  const share = tapShares(conv, inputShape, outputShape);
  const [outputs = 1, perGroup = 1] = weight.shape;
  const outputsPerGroup = outputs / conv.group;
  const firstOf = (oc: number): number => Math.floor(oc / outputsPerGroup) * perGroup;
  const linear = overTaps(weight.data, share, (w) => w);
  const apply = (matrix: Float64Array, values: Float64Array): Float64Array =>
    Float64Array.from({ length: outputs }, (_, oc) => {
      const first = firstOf(oc);
      let sum = 0;
      for (let i = 0; i < perGroup; i++) sum += matrix[oc * perGroup + i]! * values[first + i]!;
      return sum;
    });
  return {
    mean: (mean) => apply(linear, mean),
    variance: (variance) =>
      apply(
        overTaps(weight.data, share, (w) => w * w),
        variance,
      ),
    borderVariance: (variance) => {
      const missing = share.map((inside) => 1 - inside);
      const amount = overTaps(weight.data, missing, Math.abs);
      return apply(
        amount.map((value) => value * value),
        variance,
      );
    },
    adjoint: (values) => {
      const sums = new Float64Array(perGroup * conv.group);
      for (let oc = 0; oc < outputs; oc++) {
        const first = firstOf(oc);
        for (let i = 0; i < perGroup; i++) {
          sums[first + i]! += linear[oc * perGroup + i]! * values[oc]!;
        }
      }
      return sums;
    },
  };
}

/** Sum over the taps of share x term(weight), [O, C/group]. */
function overTaps(
  weight: ArrayLike<number>,
  share: Float64Array,
  term: (weight: number) => number,
): Float64Array {
  const taps = share.length;
  return Float64Array.from({ length: weight.length / taps }, (_, pair) => {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) sum += share[tap]! * term(weight[pair * taps + tap]!);
    return sum;
  });
}

/** Share of the output positions at which each tap lies inside the input, [KH * KW]. */
function tapShares(conv: ConvNode, inputShape: Shape, outputShape: Shape): Float64Array {
  const [, , height = 1, width = 1] = inputShape;
  const [, , outHeight = 1, outWidth = 1] = outputShape;
  const [top, left] = conv.pads;
  const rows = axisShares(conv, 0, top, height, outHeight);
  const columns = axisShares(conv, 1, left, width, outWidth);
  return Float64Array.from(rows.flatMap((row) => columns.map((column) => row * column)));
}

function axisShares(
  conv: ConvNode,
  axis: 0 | 1,
  before: number,
  size: number,
  outputs: number,
): number[] {
  return Array.from({ length: conv.kernel[axis] }, (_, tap) => {
    let inside = 0;
    for (let o = 0; o < outputs; o++) {
      const at = o * conv.strides[axis] - before + tap * conv.dilations[axis];
      if (at >= 0 && at < size) inside++;
    }
    return inside / outputs;
  });
}
