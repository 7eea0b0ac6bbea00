// SPDX-License-Identifier: Apache-2.0
// A target is a versioned arithmetic profile, written as data: what it can represent, and how it
// turns scales into integers and integers into codes. `lower` reads it; nothing else interprets it.
import type { QuantDType } from '../graph/quant-graph.js';

/** How well a profile is known: run against the real thing, read in its source, or neither. */
export type Evidence = 'verified' | 'source' | 'unverified';

/** Plain rounding rules; program/NOTES.md, "Rounding rules", defines each to the last bit. */
export type RoundRule =
  | 'floor'
  | 'ceil'
  | 'trunc0'
  | 'halfUp'
  | 'halfDown'
  | 'halfAway'
  | 'halfToZero'
  | 'halfEven'
  | 'halfOdd';

/** The plain rules and the two double roundings. */
export type FixedRule = RoundRule | 'gemmlowp2' | 'ruyx86';

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
  /**
   * frexp, then round-half-away(q * 2^31) as a Q31 multiplier and a shift; below 2^-32: zero.
   * `multiplierBits`: width of the signed multiplier, 32 unless given; q is taken times
   * 2^(multiplierBits - 1).
   */
  | { readonly kind: 'q31'; readonly rule: FixedRule; readonly multiplierBits?: number | undefined }
  /** The 24-bit significand of the float32 factor as the multiplier. */
  | { readonly kind: 'f32bits'; readonly rule: FixedRule }
  /** The float32 factor itself; rounds half to even. */
  | { readonly kind: 'f32' }
  /** C's round(double(accumulator) * factor), half away from zero, for 8-bit results. */
  | { readonly kind: 'f64' }
  /** A shift alone; the factor must be a power of two. */
  | { readonly kind: 'pow2'; readonly rule: RoundRule };

/** Rounding of a sum of codes divided by their number. */
export type DivideRounding = 'halfAway' | 'halfUp' | 'trunc0';

/** How the mean of n codes is formed. */
export type MeanForm =
  /** Sum of raw codes divided by n; both sides share scale and zero point. */
  | { readonly kind: 'divide'; readonly s8: DivideRounding; readonly u8: DivideRounding }
  /** TFLite MEAN: Q31 multiplier of si/so divided by n in integers. */
  | { readonly kind: 'mean'; readonly rule: FixedRule }
  /** f32(si / f32(so * n)), half to even. */
  | { readonly kind: 'f32' }
  /** The same factor, the zero point added in float32 before rounding. */
  | { readonly kind: 'f32ZeroInside' }
  /** TFLite's optimized MEAN: f32(si / f32(n * so)) as Q31, of the raw sum; zero points last. */
  | { readonly kind: 'rawMean'; readonly rule: FixedRule }
  /** Sum times round(2^k / n) of `bits` bits, the exponent difference in the shift. */
  | { readonly kind: 'reciprocal'; readonly bits: number; readonly rule: FixedRule }
  /** TOSA, Ethos-U: sum times floor((2^bits + 1) * 2^k / n), k = 32 - clz(n - 1); equal scales. */
  | { readonly kind: 'flooredReciprocal'; readonly bits: number; readonly rule: FixedRule };

/** How a layer's scales become multipliers. */
export interface Recipe {
  readonly product: ScaleProduct;
  readonly code: ScaleCode;
}

/** Kinds of layers whose recipe may differ from the convolutions'. */
export type RecipeKind = 'depthwise' | 'fullyConnected' | 'fullyConnectedPerTensor' | 'mul';

export type Recipes = Partial<Recipe> & {
  /** What differs; `fullyConnectedPerTensor` (one weight scale) goes before `fullyConnected`. */
  readonly kinds?: Readonly<Partial<Record<RecipeKind, Partial<Recipe>>>>;
};

/** A change of scale by `code`, or by an integer factor round(si / so * 2^bits). */
export type RequantizeForm =
  /** As the convolutions do with (si / so) as the factor, or by a recipe of its own. */
  | ({ readonly kind: 'code' } & Partial<Recipe>)
  /** Dequantize, then quantize, in float32. */
  | { readonly kind: 'f32'; readonly rule: 'halfAway' | 'halfEven' }
  /** XNNPACK's convert: the factor has `bits` fractional bits, half to even. */
  | { readonly kind: 'fractional'; readonly bits: number; readonly rule: FixedRule }
  /** TFLite's CONCATENATION: f32(f32(code * ratio) + bias), ratio = f32(si * f32(1 / so)). */
  | { readonly kind: 'f32Biased' };

export interface TargetArithmetic extends Recipe {
  /** What kinds of layers do differently. */
  readonly kinds?: NonNullable<Recipes['kinds']>;
  /** What layers with u8 weights (or u8 factors) do differently, before `kinds`. */
  readonly u8?: Recipes;
  readonly accumulator: {
    readonly bits: number;
    readonly overflow: 'wrap' | 'saturate' | 'saturateSymmetric' | 'trap';
    readonly when: 'each' | 'end';
    /** `satPairs16` applies to u8 codes with s8 weights, except in depthwise convolutions. */
    readonly products: 'exact' | 'satPairs16';
    readonly biasFirst: boolean;
  };
  /** Width of the signed bias, where it is not 32, and what becomes of a bias that does not fit. */
  readonly bias?: { readonly bits: number; readonly overflow: 'refuse' | 'saturate' } | undefined;
  /** How a real clamp bound becomes a code: rounding of f32(bound / scale). */
  readonly clampRounding: 'halfAway' | 'halfEven';
  readonly add:
    /** TFLite: three roundings, inputs shifted left by `leftShift` first. */
    | { readonly kind: 'rescaled'; readonly leftShift: number; readonly rule: FixedRule }
    /** Multipliers of about `bits` bits aligned to the larger ratio. */
    | { readonly kind: 'aligned'; readonly bits: number; readonly rule: RoundRule }
    | { readonly kind: 'f32'; readonly form: 'separate' | 'fused' | 'direct' }
    /** Aligns to the finer exponent, adds, shifts once. */
    | { readonly kind: 'pow2'; readonly rule: RoundRule };
  /**
   * Averages over windows, padding not counted; `undefined`: there are none. A window that covers
   * the image is a global pool where `divide` does not apply.
   */
  readonly averagePool: MeanForm | undefined;
  readonly globalPool: MeanForm;
  /** `undefined`: logits are the output. */
  readonly softmax: { readonly kind: 'gemmlowp' } | TableSoftmax | undefined;
  /** How functions of one value are computed for their table. */
  readonly unary: {
    readonly hardSwish: 'tflite16' | 'f32HalfAway' | 'f32HalfEven';
    readonly sigmoid: 'f32HalfAway' | 'f32HalfEven';
    readonly requantize: RequantizeForm;
    /** Of a clamp on its own (RELU, RELU6), where it differs from `requantize`. */
    readonly rectify?: RequantizeForm;
    /** Of the operands of a concatenation, where it differs from `requantize`. */
    readonly concat?: RequantizeForm;
  };
  readonly inputQuantization: {
    readonly form: 'divide' | 'multiplyInverse';
    readonly rule: 'halfAway' | 'halfEven';
  };
}

/** exp by table; the last rounding differs between TFLite's s8 and u8 kernels. */
export interface TableSoftmax {
  readonly kind: 'f32Table';
  readonly s8: 'halfAway' | 'truncHalf';
  readonly u8: 'halfAway' | 'truncHalf';
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
