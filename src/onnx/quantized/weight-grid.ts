// SPDX-License-Identifier: Apache-2.0
// Some exporters store quantized weights as the float32 values they stand for. Where all of them
// are multiples n * s of one scale with n in a range of 256, codes and scale can be recovered, and
// f32(n * s) gives back every stored value.
import type { ConstantCodes } from './known.js';

/** Codes span at most this many steps. */
const span = 255;

/**
 * Finds codes for weights on an 8-bit grid: one grid for the tensor, or else one per index of
 * `axis`. The zero point is 0 where the codes fit s8, and otherwise the least that fits u8.
 *
 * @returns undefined where some value lies off every grid
 */
export function gridOf(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
): ConstantCodes | undefined {
  const whole = recover(data);
  if (whole !== undefined) return toCodes(data, shape, axis, [whole]);
  const grids = channelsOf(data, shape, axis).map(recover);
  return grids.every((grid) => grid !== undefined) ? toCodes(data, shape, axis, grids) : undefined;
}

function stridesOf(shape: readonly number[], axis: number) {
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  return { inner, channels: shape[axis] ?? 1 };
}

function channelsOf(data: Float32Array, shape: readonly number[], axis: number): Float32Array[] {
  const { inner, channels } = stridesOf(shape, axis);
  return Array.from({ length: channels }, (_, c) =>
    data.filter((_, i) => Math.floor(i / inner) % channels === c),
  );
}

function toCodes(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
  grids: readonly number[],
): ConstantCodes {
  const { inner, channels } = stridesOf(shape, axis);
  // Loops, not closures: a network has millions of weights.
  const channelOf = (i: number) => (grids.length === 1 ? 0 : Math.floor(i / inner) % channels);
  const steps = new Int16Array(data.length);
  const lows = new Int32Array(grids.length);
  const highs = new Int32Array(grids.length);
  for (let i = 0; i < steps.length; i++) {
    const c = channelOf(i);
    const n = Math.round(data[i]! / grids[c]!);
    steps[i] = n;
    if (n < lows[c]!) lows[c] = n;
    if (n > highs[c]!) highs[c] = n;
  }
  const scales = Float32Array.from(grids);
  if (lows.every((lo) => lo >= -128) && highs.every((hi) => hi <= 127)) {
    const zeroPoints = new Int32Array(grids.length);
    return { dtype: 's8', bits: 8, shape, data: new Int8Array(steps), scales, zeroPoints, axis };
  }
  const zeroPoints = lows.map((lo) => Math.min(255, -lo));
  const codes = new Uint8Array(data.length);
  for (let i = 0; i < codes.length; i++) codes[i] = steps[i]! + zeroPoints[channelOf(i)]!;
  return { dtype: 'u8', bits: 8, shape, data: codes, scales, zeroPoints, axis };
}

/** The scale of the grid that all values lie on; 1 for values that are all 0. */
function recover(values: Float32Array): number | undefined {
  const distinct = Float32Array.from(new Set(values)).sort();
  if (distinct.length > span + 1 || !distinct.every(Number.isFinite)) return undefined;
  const withZero = Float32Array.from(new Set([...distinct, 0])).sort();
  if (withZero.length === 1) return 1;
  const range = withZero.at(-1)! - withZero[0]!;
  let gap = Infinity;
  for (let i = 1; i < withZero.length; i++) gap = Math.min(gap, withZero[i]! - withZero[i - 1]!);
  // The least gap may be a multiple of the scale where neighbouring codes do not occur.
  for (let k = 1; k <= 16; k++) {
    const rough = refine(withZero, gap / k);
    if (range / rough > span + 0.5) return undefined;
    const exact = exactScale(withZero, rough);
    if (exact !== undefined) return exact;
  }
  return undefined;
}

/** Least squares over the codes that a rough scale implies, small values first. */
function refine(values: Float32Array, rough: number): number {
  let scale = rough;
  const byMagnitude = [...values].sort((a, b) => Math.abs(a) - Math.abs(b));
  for (const value of byMagnitude) {
    const n = Math.round(value / scale);
    // A larger value fixes the scale more finely; each step keeps the next rounding safe.
    if (n !== 0 && Math.abs(value / scale - n) < 0.3) scale = value / n;
  }
  return scale;
}

/** A float32 near `rough` whose multiples, rounded to float32, are exactly the values. */
function exactScale(values: Float32Array, rough: number): number | undefined {
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  float[0] = rough;
  const centre = bits[0]!;
  for (let away = 0; away <= 8; away++) {
    for (const side of away === 0 ? [0] : [away, -away]) {
      bits[0] = centre + side;
      const scale = float[0];
      if (values.every((w) => Math.fround(Math.round(w / scale) * scale) === w)) return scale;
    }
  }
  return undefined;
}
