// SPDX-License-Identifier: Apache-2.0
// The arithmetic of accelerators, written once more from their public sources and on their own terms
// (registers, fix positions, float expressions), so that nothing here is shared with `lower`.
import type { QuantConv, QuantValue } from '../../src/graph/quant-graph.js';

/** One layer behind its exact sum of products. */
export interface Layer {
  readonly conv: QuantConv;
  readonly input: QuantValue;
  readonly output: QuantValue;
  /** Least and greatest code, from the fused clamp. */
  readonly lo: number;
  readonly hi: number;
}

/** From the exact sum of products of a channel, without bias, to a code. */
export type Finish = (sum: number, channel: number) => number;

const clamp = (x: number, lo: number, hi: number): number => Math.min(Math.max(x, lo), hi);
const signed = (bits: number) => [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] as const;
const saturate = (x: number, bits: number): number => clamp(x, ...signed(bits));

function scaleOf({ conv }: Layer, c: number): number {
  const { scales } = conv.weight;
  return scales.length === 1 ? scales[0]! : scales[c]!;
}

/** ac_fixed's AC_RND_INF: to nearest, ties away from zero. Exact in binary64 below 2^52. */
function roundInf(x: number): number {
  return x < 0 ? -Math.floor(-x + 0.5) : Math.floor(x + 0.5);
}

/** nvdla/sw scaleAndShiftFromScalarImpl2: 15 digits, truncated; the shift of the largest for all. */
function nvdlaScale(factor: number, shift: number): number {
  return Math.trunc(2 ** shift * factor);
}

function nvdlaShift(largest: number): number {
  let digits = 0;
  while (2 ** digits <= largest) digits++;
  while (2 ** (digits - 1) > largest) digits--;
  return 15 - digits;
}

/** nvdla/hw sdp_x.cpp and sdp_c.cpp, int8; bias as nvdla/sw BiasOp scaleBiasToInt16. */
export function nvdlaConv(layer: Layer): Finish {
  const { conv, input, output, lo, hi } = layer;
  const factors = Array.from({ length: conv.bias!.length }, (_, c) =>
    Math.fround(Math.fround(input.scale / output.scale) * scaleOf(layer, c)),
  );
  const shift = nvdlaShift(Math.max(...factors));
  const largest = Math.max(...Array.from(conv.bias!, Math.abs));
  const bits = largest === 0 ? 0 : Math.ceil(Math.log2(largest)) + 1;
  const biasShift = Math.max(0, bits - 16);
  return (sum, c) => {
    const delivered = saturate(sum, 32);
    const alu = delivered + saturate((conv.bias![c]! >> biasShift) * 2 ** biasShift, 32);
    const product = alu * nvdlaScale(factors[c]!, shift);
    const truncated = saturate(roundInf(product / 2 ** shift), 32);
    return clamp(saturate(saturate(truncated, 17), 8), lo, hi);
  };
}

/** cmod/pdp PoolingStage1Calc with recip_kernel_size of kmd/firmware/pdp.c. */
export function nvdlaMean(sum: number, [height, width]: readonly [number, number]): number {
  const reciprocal = [0x10000, 0x8000, 0x5555, 0x4000, 0x3333, 0x2aaa, 0x2492, 0x2000];
  const first = roundInf((sum * reciprocal[width - 1]!) / 65536);
  return roundInf((first * reciprocal[height - 1]!) / 65536);
}

/** EW addition behind X multipliers, then the output converter. */
export function nvdlaAdd(sa: number, sb: number, so: number): (a: number, b: number) => number {
  const larger = Math.max(sa, sb);
  const equal = sa === sb;
  const [wa, wb] = [sa, sb].map((s) => (equal ? 1 : Math.round((s / larger) * 2 ** 14)));
  const factor = (equal ? larger : larger * 2 ** -14) / so;
  const shift = nvdlaShift(factor);
  const scale = nvdlaScale(factor, shift);
  return (a, b) => saturate(saturate(roundInf(((a * wa! + b * wb!) * scale) / 2 ** shift), 17), 8);
}

const exponent = (scale: number): number => Math.log2(scale);

/** Vitis AI util.hpp fix(). */
export function dpuFix(x: number): number {
  if (x > 127) return 127;
  if (x < -128) return -128;
  if (x < 0 && x - Math.floor(x) === 0.5) return Math.ceil(x);
  return roundInf(x);
}

/** conv2d-fix.cpp; the bias has the finest fix position with which a layer's biases fit int8. */
export function dpuConv(layer: Layer): Finish {
  const { conv, input, output, lo, hi } = layer;
  const [fi, fw, fo] = [input.scale, scaleOf(layer, 0), output.scale].map((s) => -exponent(s));
  let position = fi! + fw!;
  const codes = (): number[] =>
    Array.from(conv.bias!, (b) => Math.floor((b * 2 ** position) / 2 ** (fi! + fw!) + 0.5));
  while (codes().some((code) => code < -128 || code > 127)) position--;
  const bias = codes();
  return (sum, c) => {
    const filtered = sum + bias[c]! * 2 ** (fi! + fw! - position);
    return clamp(dpuFix(filtered / 2 ** (fi! + fw! - fo!)), lo, hi);
  };
}

/** pool-fix.cpp for the windows with constants. */
export function dpuMean(sum: number, side: 3 | 5 | 6 | 7 | 14, cut: number): number {
  const scale = { 3: 7 / 64, 5: 10 / 256, 6: 7 / 256, 7: 21 / 1024, 14: 21 / 4096 }[side];
  return dpuFix((sum * scale) / 2 ** cut);
}

/** eltwise-fix.cpp: aligned to the greatest fix position. */
export function dpuAdd(sa: number, sb: number, so: number): (a: number, b: number) => number {
  const [fa, fb, fo] = [-exponent(sa), -exponent(sb), -exponent(so)];
  const most = Math.max(fa, fb);
  return (a, b) => dpuFix((a * 2 ** (most - fa) + b * 2 ** (most - fb)) * 2 ** (fo - most));
}

/** ai8x-synthesis simulate.py conv2d_layer: output_shift s, bias * BIAS_DIV. */
export function max78000Conv(layer: Layer): Finish {
  const { conv, input, output, lo, hi } = layer;
  const s = 7 + exponent((input.scale * scaleOf(layer, 0)) / output.scale);
  return (sum, c) => {
    const real = conv.bias![c]! / 128;
    const down = Math.floor(real);
    const tie = real - down === 0.5;
    const nearest = tie ? down + (down & 1) : Math.round(real);
    const full = sum + saturate(nearest, 8) * 128;
    return clamp(saturate(Math.floor(0.5 + full / (128 / 2 ** s)), 8), lo, hi);
  };
}

/** dl_tool.cpp shift_and_round, half up or half even, with its bit operations. */
export function espShift(value: number, shift: number, even: boolean): number {
  if (shift <= 0) return value * 2 ** -shift;
  const [v, s] = [BigInt(value), BigInt(shift)];
  if (!even) return Number((v + (1n << (s - 1n))) >> s);
  const shifted = v >> s;
  const [rest, half] = [v & ((1n << s) - 1n), 1n << (s - 1n)];
  const up = rest > half || (rest === half && (shifted & 1n) !== 0n);
  return Number(up ? shifted + 1n : shifted);
}

/** dl_base_activate_buffer.hpp buffer_bias_linear, one exponent per tensor. */
export function espConv(even: boolean): (layer: Layer) => Finish {
  return (layer) => {
    const { conv, input, output, lo, hi } = layer;
    const shift = -exponent((input.scale * scaleOf(layer, 0)) / output.scale);
    return (sum, c) => clamp(saturate(espShift(sum + conv.bias![c]!, shift, even), 8), lo, hi);
  };
}

/** dl_base_avg_pool2d.cpp avgpool2d_hwc: float32 in its order, then tool::round of the chip. */
export function espMean(sum: number, area: number, si: number, so: number, even: boolean): number {
  const inverse = Math.fround(1 / area);
  const scale = Math.fround(Math.fround(si * inverse) * Math.fround(1 / so));
  const mean = Math.fround(Math.fround(sum) * scale);
  if (!even) return saturate(Math.floor(Math.fround(mean + 0.5)), 8);
  const down = Math.floor(mean);
  const rest = mean - down;
  return saturate(rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down, 8);
}

/** nncase get_fixed_mul, signed. */
function fixedMul(value: number, bits: number, greatestShift: number): [number, number] {
  let e = 0;
  while (value / 2 ** e >= 1) e++;
  while (value / 2 ** e < 0.5) e--;
  const shift = Math.min(greatestShift, bits - 1 - e);
  return [roundEven(value * 2 ** shift), shift];
}

function roundEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

/** carry_shift with Banker, for values that are not negative. */
function carryShift(value: number, shift: number): number {
  if (value < 0) throw new Error('the rounding of negative values is another one');
  return shift > 0 ? roundEven(value / 2 ** shift) : value;
}

/**
 * k210_kernels.h kpu_conv2d behind its sums. The inner scale and the three segments are what
 * src/targets/NOTES.md says of this profile.
 */
export function k210Conv(layer: Layer, reach: number): Finish {
  const { conv, input, output, lo, hi } = layer;
  const count = conv.bias!.length;
  const accScales = Array.from({ length: count }, (_, c) => input.scale * scaleOf(layer, c));
  const real = Array.from(conv.bias!, (b, c) => b * accScales[c]!);
  const fits = (k: number): boolean => {
    const inner = output.scale / 2 ** k;
    const most = Math.max(...accScales) / inner;
    const bias = Math.max(...real.map((b) => Math.abs(b) / inner));
    return most < 2 ** 21 && bias < 2 ** 31 && reach * most + bias < 2 ** 35;
  };
  let k = -40;
  while (fits(k + 1) && k < 60) k++;
  const inner = output.scale / 2 ** k;
  const norm = accScales.map((scale) => fixedMul(scale / inner, 22, 15));
  const add = real.map((b) => roundEven(b / inner));
  const [mul, shift] = fixedMul(2 ** -k, 16, 43);
  const z = output.zeroPoint;
  const segments = [
    { start: -(2 ** 35), mul: 0, shift: 0, add: lo },
    { start: (lo - z) * 2 ** k, mul, shift, add: lo },
    { start: (hi - z) * 2 ** k, mul: 0, shift: 0, add: hi },
  ];
  return (sum, c) => {
    const [factor, right] = norm[c]!;
    const value = Math.floor((sum * factor) / 2 ** right) + add[c]!;
    const segment = segments.findLast(({ start }) => value > start)!;
    const product = (value - segment.start) * segment.mul;
    return clamp(carryShift(product, segment.shift) + segment.add, 0, 255);
  };
}

/** A double as a fraction of BigInts. */
function fraction(x: number): [bigint, bigint] {
  let denominator = 1n;
  while (!Number.isInteger(x)) [x, denominator] = [x * 2, denominator * 2n];
  return [BigInt(x), denominator];
}

/** floor(a * s / (n * t) + 1/2), exactly. */
export function nearestUp(a: number, s: readonly number[], n: number, t: number): number {
  const [over, under] = s
    .map(fraction)
    .reduce<[bigint, bigint]>(
      ([p, q], [x, y]) => [p * x, q * y] as [bigint, bigint],
      [BigInt(a), 1n],
    );
  const [x, y] = fraction(t);
  const [p, q] = [over * y, under * x * BigInt(n)];
  const [top, bottom] = [2n * p + q, 2n * q];
  const quotient = top / bottom;
  return Number(top % bottom < 0n ? quotient - 1n : quotient);
}

/** qonnx multithreshold.py in the limit of exact thresholds. */
export function finnConv(layer: Layer): Finish {
  const { conv, input, output, lo, hi } = layer;
  return (sum, c) => {
    const steps = [input.scale, scaleOf(layer, c)];
    return clamp(nearestUp(sum + conv.bias![c]!, steps, 1, output.scale), lo, hi);
  };
}

/** gemmlowp's double rounding in the Ethos-U's TFL mode. */
function tfl(value: bigint, multiplier: bigint, shift: number): bigint {
  const nudge = shift > 31 ? (value >= 0n ? 1n << 30n : -(1n << 30n)) : 0n;
  return (value * multiplier + (1n << BigInt(shift - 1)) + nudge) >> BigInt(shift);
}

/** Vela scaling.py quantise_scale. */
function quantiseScale(scale: number): [bigint, number] {
  let e = 0;
  while (scale / 2 ** e >= 1) e++;
  while (scale / 2 ** e < 0.5) e--;
  return [BigInt(Math.round((scale / 2 ** e) * 2 ** 31)), 31 - e];
}

/** advanced_elementwise_add_sub_scale: the operand with the smaller scale is rescaled. */
export function ethosAdd(
  [sa, za]: readonly [number, number],
  [sb, zb]: readonly [number, number],
  [so, zo]: readonly [number, number],
): (a: number, b: number) => number {
  const larger = Math.max(sa, sb);
  const [m, s] = quantiseScale((Math.min(sa, sb) * 2 ** 20) / (2 * larger));
  const [mo, shiftOut] = quantiseScale((2 * larger) / (so * 2 ** 20));
  return (a, b) => {
    const [x, y] = [BigInt(a - za), BigInt(b - zb)];
    const scaled = sa < sb ? tfl(x, m, s) + (y << 19n) : (x << 19n) + tfl(y, m, s);
    return clamp(Number(tfl(scaled, mo, shiftOut)) + zo, -128, 127);
  };
}

/** Vela scaling.py quantise_pooling_scale. */
export function ethosPoolingScale(n: number): [bigint, number] {
  let k = 0;
  while (2 ** k <= n - 1) k++;
  return [((1n << BigInt(31 + k)) + (1n << BigInt(k))) / BigInt(n), 31 + k];
}

/** Average pools in the TFL rounding mode. */
export function ethosMean(sum: number, n: number): number {
  const [scale, shift] = ethosPoolingScale(n);
  return Number(tfl(BigInt(sum), scale, shift));
}
