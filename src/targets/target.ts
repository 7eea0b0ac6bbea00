// SPDX-License-Identifier: Apache-2.0
// A target is a versioned arithmetic profile, written as data: what it can represent, and how it
// turns scales into integers and integers into codes. `lower` reads it; nothing else interprets it.
import type { QuantDType } from '../graph/quant-graph.js';

/** How well a profile is known: run against the real thing, read in its source, or neither. */
export type Evidence = 'verified' | 'source' | 'unverified';

export type RoundingName =
  | 'floor'
  | 'ceil'
  | 'trunc0'
  | 'halfUp'
  | 'halfDown'
  | 'halfAway'
  | 'halfToZero'
  | 'halfEven'
  | 'halfOdd';

export type FixedRounding = RoundingName | 'gemmlowp2' | 'ruyx86';

/** What a quantizer must respect so that the target can represent the result. */
export interface TargetConstraints {
  /** Activation types; the first is the one to choose. */
  readonly activations: readonly Exclude<QuantDType, 's32'>[];
  /** Weight types; the first is the one to choose. */
  readonly weights: readonly ('s8' | 'u8' | 's16')[];
  readonly weightBits: readonly number[];
  /** Whether activations may have a zero point other than 0 (u8: other than its least code). */
  readonly activationZeroPoint: boolean;
  readonly weightZeroPoint: boolean;
  readonly perChannelWeights: boolean;
  /** Weights stay within [-(2^(b-1) - 1), 2^(b-1) - 1]. */
  readonly narrowWeights: boolean;
  readonly scales: 'real' | 'powerOfTwo';
  /** Whether a fused clamp may differ between the channels of one tensor. */
  readonly perChannelClamp: boolean;
  /** Types that the network's last layer may write instead of an activation type. */
  readonly wideOutputs: readonly ('s16' | 's32')[];
}

/** How the real factor (input scale x weight scale / output scale) is formed, as C would. */
export type ScaleProduct =
  /** f64(si) * f64(sw) / f64(so) */
  | 'f64'
  /** f64(f32(si * sw)) / f64(so) */
  | 'f32ThenF64'
  /** f32(f32(si * sw) / so) */
  | 'f32';

/** From the real factor to what the hardware multiplies by. */
export type ScaleCode =
  /** frexp, then round-half-away(q * 2^31) as a Q31 multiplier and a shift; below 2^-32: zero. */
  | { readonly kind: 'q31'; readonly rule: FixedRounding }
  | { readonly kind: 'f32' }
  | { readonly kind: 'pow2'; readonly rule: RoundingName };

export interface TargetArithmetic {
  readonly product: ScaleProduct;
  /** For fully connected layers, where it differs from `product`. */
  readonly fullyConnectedProduct?: ScaleProduct;
  readonly code: ScaleCode;
  readonly accumulator: {
    readonly bits: number;
    readonly overflow: 'wrap' | 'saturate' | 'saturateSymmetric' | 'trap';
    readonly when: 'each' | 'end';
    readonly products: 'exact' | 'satPairs16';
    readonly biasFirst: boolean;
  };
  /** How a real clamp bound becomes a code: rounding of f32(bound / scale). */
  readonly clampRounding: 'halfAway' | 'halfEven';
  readonly add:
    | { readonly kind: 'rescaled'; readonly leftShift: number; readonly rule: FixedRounding }
    /** Multipliers of about `bits` bits aligned to the larger ratio; `pow2` targets: exact. */
    | { readonly kind: 'aligned'; readonly bits: number; readonly rule: RoundingName }
    | { readonly kind: 'f32'; readonly form: 'separate' | 'fused' | 'direct' }
    /** Aligns to the finer exponent, adds, shifts once. */
    | { readonly kind: 'pow2'; readonly rule: RoundingName };
  /** Windowed average whose sides share scale and zero point; otherwise as `globalPool`. */
  readonly averagePool:
    | { readonly kind: 'divide'; readonly rule: { readonly s8: 'halfAway'; readonly u8: 'halfUp' } }
    | { readonly kind: 'requant' };
  readonly globalPool:
    /** TFLite MEAN: Q31 multiplier of si/so divided by n in integers. */
    | { readonly kind: 'mean'; readonly rule: FixedRounding }
    /** f32(si / f32(so * n)), half-even. */
    | { readonly kind: 'f32' }
    /** Exact sum times round(2^k / n) of `bits` bits, with the exponent difference in the shift. */
    | { readonly kind: 'reciprocal'; readonly bits: number; readonly rule: RoundingName };
  readonly softmax: { readonly kind: 'gemmlowp' } | { readonly kind: 'f32Table' };
  /** How functions of one value are computed for their table. */
  readonly unary: {
    readonly hardSwish: 'tflite16' | 'f32HalfAway' | 'f32HalfEven';
    readonly sigmoid: 'f32HalfAway' | 'f32HalfEven';
    readonly requantize:
      | { readonly kind: 'q31'; readonly rule: FixedRounding }
      | { readonly kind: 'f32'; readonly rule: 'halfAway' | 'halfEven' };
  };
  readonly inputQuantization: {
    readonly form: 'divide' | 'multiplyInverse';
    readonly rule: 'halfAway' | 'halfEven';
  };
}

export interface TargetSpec {
  /** `name@version`, kebab-case; any change of bits is a new id. */
  readonly id: string;
  readonly aliases: readonly string[];
  /** One line for people. */
  readonly summary: string;
  /** Where the arithmetic was read: repository, file, version. */
  readonly source: string;
  readonly evidence: Evidence;
  /** Tests and goldens that prove it. */
  readonly provenBy: readonly string[];
  readonly constraints: TargetConstraints;
  readonly arithmetic: TargetArithmetic;
}
