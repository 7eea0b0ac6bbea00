// SPDX-License-Identifier: Apache-2.0
// Weights as codes: w' = s (q - z), q = clip(rint(w / s) + z, min, max), with one scale s and zero
// point z per tensor or per output channel.
import { UsageError } from '../../errors.js';
import type { Shape } from '../../graph/graph.js';
import type { QuantWeight } from '../../graph/quant-graph.js';
import type { TargetConstraints } from '../../targets/target.js';
import { clampInteger, codeLimits, roundHalfEven } from './scales.js';

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

/** What is wished for where a target leaves a choice. */
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

/** Minimal and maximal weight code. */
export function weightLimits(scheme: WeightScheme): readonly [number, number] {
  const [minCode, maxCode] = codeLimits(scheme.dtype, scheme.bits);
  return scheme.narrow && scheme.dtype !== 'u8' ? [-maxCode, maxCode] : [minCode, maxCode];
}

/** Rounds every weight to the nearest code of the grid, ties to even. */
export function quantizeWeights(
  data: Float32Array,
  shape: Shape,
  scheme: WeightScheme,
  grid: WeightGrid,
): QuantWeight {
  const [minCode, maxCode] = weightLimits(scheme);
  const codes = new { s8: Int8Array, u8: Uint8Array, s16: Int16Array }[scheme.dtype](data.length);
  const size = data.length / grid.scales.length;
  for (let i = 0; i < data.length; i++) {
    const part = Math.floor(i / size);
    const code = roundHalfEven(data[i]! / grid.scales[part]!) + grid.zeroPoints[part]!;
    codes[i] = clampInteger(code, minCode, maxCode);
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
