// SPDX-License-Identifier: Apache-2.0
// Arithmetic on quantized constants: what an exporter leaves between a constant's codes and the layer
// that reads them, done on codes, scales and zero points.
import { codeArrays, codeLimits, clampInteger } from '../../numeric/code-types.js';
import type { OnnxDType, OnnxTensor } from '../file/model.js';
import type { ConstantCodes } from './known.js';

/** The element type of a file that holds such codes. */
export function storedType({ dtype, bits }: Pick<ConstantCodes, 'dtype' | 'bits'>): OnnxDType {
  if (bits !== 4) return dtype;
  return dtype === 'u8' ? 'u4' : 's4';
}

/** The channel that element `i` belongs to, of a tensor whose channels are an axis. */
function channelIndex(shape: readonly number[], axis: number): (i: number) => number {
  const inner = elements(shape.slice(axis + 1));
  const channels = shape[axis] ?? 1;
  return (i) => Math.floor(i / inner) % channels;
}

/** The float32 values that codes stand for, as DequantizeLinear computes them. */
export function realsOf(codes: ConstantCodes, name: string): OnnxTensor {
  const { shape, data, scales, zeroPoints, axis } = codes;
  const channel = channelIndex(shape, axis);
  const reals = Float32Array.from(data, (code, i) => {
    const c = channel(i);
    const zero = zeroPoints[zeroPoints.length === 1 ? 0 : c]!;
    return Math.fround((code - zero) * scales[scales.length === 1 ? 0 : c]!);
  });
  return { name, dtype: 'f32', shape, data: reals };
}

/**
 * Codes in another shape and order.
 *
 * @param moved data and shape after the move
 * @param perm of a transposition; undefined where the order of elements stays
 * @returns undefined where several scales would no longer belong to one axis
 */
export function movedCodes(
  codes: ConstantCodes,
  moved: Pick<ConstantCodes, 'shape' | 'data'>,
  perm: readonly number[] | undefined,
): ConstantCodes | undefined {
  const { shape, scales, zeroPoints, axis } = codes;
  const data = codeArrays[codes.dtype].from(moved.data);
  const result = { ...codes, shape: moved.shape, data };
  if (scales.length === 1 && zeroPoints.length === 1) return { ...result, axis: 0 };
  const at = perm === undefined ? sameAxis(shape, moved.shape, axis) : perm.indexOf(axis);
  return at < 0 ? undefined : { ...result, axis: at };
}

/** Where an axis is after a reshape: as long as before, behind as many elements; -1 for nowhere. */
function sameAxis(from: readonly number[], to: readonly number[], axis: number): number {
  const before = elements(from.slice(0, axis));
  return to.findIndex((size, i) => size === from[axis] && elements(to.slice(0, i)) === before);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Codes within [lo, hi]. */
export function clippedCodes(codes: ConstantCodes, lo: number, hi: number): ConstantCodes {
  const clipped = Array.from(codes.data, (code) => clampInteger(code, lo, hi));
  return { ...codes, data: codeArrays[codes.dtype].from(clipped) };
}

/** Codes with a scale for each channel of one axis, or one for all. */
export type ScaledCodes = Pick<
  ConstantCodes,
  'dtype' | 'bits' | 'shape' | 'data' | 'scales' | 'zeroPoints'
>;

/**
 * Codes that stand for the same values times one factor, or one for each channel of `axis`. A negative factor
 * negates codes - zero point; where a code has no negative in its type (-128), code and zero point
 * are mirrored instead. The codes of a channel with factor 0 become its zero point.
 */
export function scaledCodes<T extends ScaledCodes>(codes: T, axis: number, given: Float64Array): T {
  const { dtype, bits, shape, data, scales, zeroPoints } = codes;
  // One factor is for all of them, wherever the channels are.
  const channel = given.length === 1 ? () => 0 : channelIndex(shape, axis);
  const [min, max] = codeLimits(dtype, bits);
  const at = (list: Float32Array | Int32Array, c: number) => list[list.length === 1 ? 0 : c]!;
  // What no float32 scale can hold vanishes as well.
  const factors = given.map((factor, c) =>
    Math.fround(at(scales, c) * factor) === 0 ? 0 : factor,
  );
  const extremes = Array.from(factors, () => ({ least: Infinity, greatest: -Infinity }));
  data.forEach((code, i) => {
    const extreme = extremes[channel(i)]!;
    extreme.least = Math.min(extreme.least, code);
    extreme.greatest = Math.max(extreme.greatest, code);
  });
  /** What a code and its zero point are subtracted from, to be negated. */
  const mirrors = extremes.map(({ least, greatest }, c) => {
    const twice = 2 * at(zeroPoints, c);
    return twice - greatest >= min && twice - least <= max ? twice : min + max;
  });
  const zeros = Int32Array.from(factors, (factor, c) => {
    const zero = at(zeroPoints, c);
    return factor < 0 ? mirrors[c]! - zero : zero;
  });
  const scaled = Array.from(data, (code, i) => {
    const c = channel(i);
    const factor = factors[c]!;
    if (factor === 0) return zeros[c]!;
    return factor < 0 ? mirrors[c]! - code : code;
  });
  const steps = Float32Array.from(factors, (factor, c) => {
    const scale = at(scales, c);
    return factor === 0 ? scale : scale * Math.abs(factor);
  });
  return {
    ...codes,
    data: codeArrays[dtype].from(scaled),
    scales: single(steps),
    zeroPoints: single(zeros),
  };
}

/** One entry where all are equal. */
function single<V extends Float32Array | Int32Array>(list: V): V {
  return list.every((entry) => entry === list[0]) ? (list.slice(0, 1) as V) : list;
}
