// SPDX-License-Identifier: Apache-2.0
// The input's scale for pixels. The 256 values p that a pixel can have are known, so the error is
// a sum:
//
//   minimize over s, z   sum over p of (p - s (clip(rint(p / s) + z) - z))^2
//
// over scales with 0 to 16 steps fewer than the type offers across the same range, and three zero
// points each.
import {
  clampInteger,
  codeLimits,
  representedRange,
  roundHalfEven,
  usableScale,
  type Quantization,
} from '../codes/scales.js';

/** Maximal number of steps that a range may have fewer than its type allows; one sixteenth costs half a decibel at most. */
const maxFewer = 16;

/** The chosen quantization, and what it does to the error of a pixel. */
export interface PixelFit {
  readonly quantization: Quantization;
  /** Root mean square error over the pixel values in steps of `present`, before and after. */
  readonly before: number;
  readonly after: number;
}

/**
 * The scale and zero point, near the present ones, that give the 256 pixel values the smallest error. Steps of the full
 * range can put every one of them half way between two codes: x / 127.5 - 1 with steps of 2 / 255 does, and
 * each then costs half a step, one way or the other by the target's rounding of ties. A few steps fewer over
 * the same range, and the pixels fall anywhere.
 *
 * @param pixels the real values that pixels become
 * @param zeroPoints whether the target takes others than the present one
 */
export function fitPixels(
  present: Quantization,
  pixels: Float32Array,
  zeroPoints: boolean,
): PixelFit {
  const { min, max } = representedRange(present);
  const [minCode, maxCode] = codeLimits(present.dtype, present.bits);
  // What the range left out stays out.
  const inside = pixels.filter(
    (value) => value >= min - present.scale && value <= max + present.scale,
  );
  const before = squaredError(present, inside);
  let [best, lowest] = [present, before];
  for (let fewer = 1; fewer <= maxFewer; fewer++) {
    const scale = usableScale((present.scale * (maxCode - minCode)) / (maxCode - minCode - fewer));
    const middle = roundHalfEven(minCode - min / scale);
    for (const zeroPoint of zeroPoints
      ? [middle - fewer, middle - (fewer >> 1), middle]
      : [present.zeroPoint]) {
      const candidate = { ...present, scale, zeroPoint: clampInteger(zeroPoint, minCode, maxCode) };
      const error = squaredError(candidate, inside);
      if (error < lowest) [best, lowest] = [candidate, error];
    }
  }
  const inSteps = (error: number): number =>
    Math.sqrt(error / Math.max(inside.length, 1)) / present.scale;
  return { quantization: best, before: inSteps(before), after: inSteps(lowest) };
}

function squaredError(
  { scale, zeroPoint, dtype, bits }: Quantization,
  values: Float32Array,
): number {
  const [minCode, maxCode] = codeLimits(dtype, bits);
  let sum = 0;
  for (const value of values) {
    const code = clampInteger(roundHalfEven(value / scale) + zeroPoint, minCode, maxCode);
    sum += (value - (code - zeroPoint) * scale) ** 2;
  }
  return sum;
}
