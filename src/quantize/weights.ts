// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../errors.js';
import type { Shape } from '../graph/graph.js';
import type { QuantWeight } from '../graph/quant-graph.js';
import type { TargetConstraints } from '../targets/target.js';
import {
  ceilPowerOfTwo,
  clampInteger,
  codeLimits,
  roundHalfEven,
  usableScale,
  type RealRange,
} from './scales.js';

/** How the weights of one convolution become integers. */
export interface WeightScheme {
  readonly dtype: QuantWeight['dtype'];
  /** 2 to 8, or 16. */
  readonly bits: number;
  /** One scale per output channel; zero points are then 0. */
  readonly perChannel: boolean;
  /** A zero point may be chosen (one scale per tensor only). */
  readonly zeroPoint: boolean;
  /** Codes stay within +-(2^(bits-1) - 1). */
  readonly narrow: boolean;
  readonly powerOfTwo: boolean;
}

/** `minmax` clips nothing; `mse` takes the range with the least squared error of the weights. */
export type WeightRangeMethod = 'minmax' | 'mse';

export interface WeightChoice {
  readonly perChannel?: boolean;
  readonly bits?: number;
}

/**
 * What a target's constraints make of the wished-for granularity and width (default: per channel
 * where allowed, but one shift per tensor where scales are powers of two; the widest up to 8 bits).
 *
 * @throws UsageError where the target does not take them
 */
export function weightScheme(
  constraints: TargetConstraints,
  choice: WeightChoice = {},
): WeightScheme {
  const perChannel =
    choice.perChannel ?? (constraints.perChannelWeights && constraints.scales === 'real');
  if (perChannel && !constraints.perChannelWeights) {
    throw new UsageError(
      'per-channel-weights',
      '--weights per-channel',
      'the target takes one weight scale per tensor; use --weights per-tensor',
    );
  }
  const bits = choice.bits ?? Math.max(...constraints.weightBits.filter((width) => width <= 8));
  if (!constraints.weightBits.includes(bits)) {
    throw new UsageError(
      'weight-bits',
      `--weight-bits ${bits}`,
      `the target takes weights of ${constraints.weightBits.join(', ')} bits`,
    );
  }
  return {
    dtype: constraints.weights[0]!,
    bits,
    perChannel,
    zeroPoint: constraints.weightZeroPoint && !perChannel,
    narrow: constraints.narrowWeights,
    powerOfTwo: constraints.scales === 'powerOfTwo',
  };
}

/** Scales and zero points: one, or one per output channel. */
export interface WeightGrid {
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
}

/** Least and greatest weight code. */
export function weightLimits(scheme: WeightScheme): readonly [number, number] {
  const [least, greatest] = codeLimits(scheme.dtype, scheme.bits);
  return scheme.narrow && scheme.dtype !== 'u8' ? [-greatest, greatest] : [least, greatest];
}

/**
 * Chooses scales and zero points for a weight tensor.
 *
 * @param data real weights, [O, C/group, KH, KW]
 * @param channels number of output channels
 * @param importance weight of each element's squared error (`mse` only); absent: all 1
 */
export function chooseWeightGrid(
  data: Float32Array,
  channels: number,
  scheme: WeightScheme,
  method: WeightRangeMethod,
  importance?: Float32Array,
): WeightGrid {
  const parts = scheme.perChannel ? channels : 1;
  const size = data.length / parts;
  const scales = new Float32Array(parts);
  const zeroPoints = new Int32Array(parts);
  for (let part = 0; part < parts; part++) {
    const slice = data.subarray(part * size, (part + 1) * size);
    const weighting = importance?.subarray(part * size, (part + 1) * size);
    const step =
      method === 'mse' ? leastErrorStep(slice, scheme, weighting) : widestStep(slice, scheme);
    scales[part] = step.scale;
    zeroPoints[part] = step.zeroPoint;
  }
  giveZeroChannelsAScale(data, scales, size);
  return { scales, zeroPoints };
}

/** Rounds every weight to the nearest code of the grid, ties to even. */
export function quantizeWeights(
  data: Float32Array,
  shape: Shape,
  scheme: WeightScheme,
  grid: WeightGrid,
): QuantWeight {
  const [least, greatest] = weightLimits(scheme);
  const codes = new { s8: Int8Array, u8: Uint8Array, s16: Int16Array }[scheme.dtype](data.length);
  const size = data.length / grid.scales.length;
  for (let i = 0; i < data.length; i++) {
    const part = Math.floor(i / size);
    const code = roundHalfEven(data[i]! / grid.scales[part]!) + grid.zeroPoints[part]!;
    codes[i] = clampInteger(code, least, greatest);
  }
  return { dtype: scheme.dtype, bits: scheme.bits, shape, data: codes, ...grid };
}

/** The real weights that the codes stand for. */
export function dequantizeWeights(weight: QuantWeight): Float32Array {
  const real = new Float32Array(weight.data.length);
  const size = real.length / weight.scales.length;
  for (let i = 0; i < real.length; i++) {
    const part = Math.floor(i / size);
    real[i] = weight.scales[part]! * (weight.data[i]! - weight.zeroPoints[part]!);
  }
  return real;
}

interface Step {
  readonly scale: number;
  readonly zeroPoint: number;
}

function rangeOf(data: Float32Array): RealRange {
  let min = 0;
  let max = 0;
  for (const value of data) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

function widestStep(data: Float32Array, scheme: WeightScheme): Step {
  return stepFor(rangeOf(data), scheme);
}

/** The finest step that holds the range, which includes zero. */
function stepFor(range: RealRange, scheme: WeightScheme): Step {
  const [least, greatest] = weightLimits(scheme);
  if (scheme.zeroPoint) {
    const scale = usableScale((range.max - range.min) / (greatest - least));
    const zeroPoint = clampInteger(roundHalfEven(least - range.min / scale), least, greatest);
    return { scale, zeroPoint };
  }
  const [low, high] = scheme.dtype === 'u8' ? [least - 128, greatest - 128] : [least, greatest];
  const needed = Math.max(range.max / high, range.min / low);
  const zeroPoint = scheme.dtype === 'u8' ? 128 : 0;
  return { scale: scheme.powerOfTwo ? ceilPowerOfTwo(needed) : usableScale(needed), zeroPoint };
}

/**
 * Tries ranges from the full one downwards and keeps the one whose rounding and clipping cost
 * least; for powers of two that is every exponent from the widest to 1/64 of it.
 */
function leastErrorStep(
  data: Float32Array,
  scheme: WeightScheme,
  importance: Float32Array | undefined,
): Step {
  const widest = rangeOf(data);
  let best = stepFor(widest, scheme);
  let least = squaredError(data, best, scheme, importance);
  for (const ratio of scheme.powerOfTwo ? powerRatios : linearRatios) {
    const range = { min: widest.min * ratio, max: widest.max * ratio };
    const step = stepFor(range, scheme);
    const error = squaredError(data, step, scheme, importance);
    if (error < least) [best, least] = [step, error];
  }
  return best;
}

const linearRatios = Array.from({ length: 50 }, (_, i) => 1 - (i + 1) / 64);
const powerRatios = [1, 2, 3, 4, 5, 6].map((e) => 2 ** -e);

/** Sum of importance x (w - w')^2. */
export function squaredError(
  data: Float32Array,
  step: Step,
  scheme: WeightScheme,
  importance?: Float32Array,
): number {
  const [least, greatest] = weightLimits(scheme);
  const inverse = 1 / step.scale;
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    const code = clampInteger(Math.round(data[i]! * inverse) + step.zeroPoint, least, greatest);
    const error = data[i]! - (code - step.zeroPoint) * step.scale;
    sum += error * error * (importance === undefined ? 1 : importance[i]!);
  }
  return sum;
}

/**
 * A channel of zeros says nothing about its scale. It takes the largest of the others, so that
 * its bias, at scale (input x weight), stays small.
 */
export function giveZeroChannelsAScale(
  data: Float32Array,
  scales: Float32Array,
  size: number,
): void {
  const isZero = Array.from(scales, (_, part) =>
    data.subarray(part * size, (part + 1) * size).every((value) => value === 0),
  );
  const others = scales.filter((_, part) => !isZero[part]);
  const substitute = others.length === 0 ? 1 : others.reduce((a, b) => Math.max(a, b));
  isZero.forEach((zero, part) => {
    if (zero) scales[part] = substitute;
  });
}
