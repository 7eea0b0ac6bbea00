// SPDX-License-Identifier: Apache-2.0
// A target is a versioned arithmetic profile, written as data: what it can represent, and how it
// turns scales into integers and integers into codes. `lower` reads it; nothing else interprets it.
import type { QuantDType } from '../graph/quant-graph.js';
import type { ScaleProduct } from '../numeric/multipliers.js';
import type { FixedRule } from '../numeric/requant.js';
import type {
  DivideRule,
  EncodeRule,
  FloatRule,
  NearestRule,
  RoundRule,
  TableRule,
} from '../numeric/round.js';
import type { DeviceLimits } from './limits.js';

/** How well a profile is known: run against the real thing, read in its source, or neither. */
export type Evidence = 'verified' | 'source' | 'unverified';

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
  /** Greatest magnitude of a bias at accumulator scale, where it is less than 2^30. */
  readonly biasLimit?: number | undefined;
  /** Biases are multiples of this at accumulator scale, where it is more than 1. */
  readonly biasStep?: number | undefined;
  /** Whether uint8 weights whose .tflite file names another dimension than 0 are left to TFLite. */
  readonly oddWeightAxes?: 'refused' | undefined;
  /** A type that values may have where only changes of quantization read and write them. */
  readonly retyped?: 'u8' | undefined;
  /** Types that the network's last layer may write instead of an activation type. */
  readonly wideOutputs: readonly ('s16' | 's32')[];
}

/** An integer multiplier of a pipeline and the shift behind it. */
export interface MultiplierWidths {
  /** Of the signed multiplier. */
  readonly bits: number;
  /** Right shifts lie in [0, greatestShift]; the largest that the multiplier's width allows is taken. */
  readonly greatestShift: number;
  readonly encode: EncodeRule;
  /** Rounding of the shift. */
  readonly rule: RoundRule;
}

/** A step of a pipeline behind the accumulator; NOTES.md, "Staged pipelines". */
export type StepForm =
  /** Into the range of `bits` signed bits. */
  | { readonly kind: 'saturate'; readonly bits: number }
  /** Adds the bias here, not in the accumulator; at the inner scale, in 32 bits, where there is one. */
  | { readonly kind: 'bias' }
  /** Multiplies and shifts. */
  | ({
      readonly kind: 'scale';
      /** One shift for all channels, that of the largest factor. */
      readonly commonShift: boolean;
      /**
       * Given: leads to an inner scale, output scale / 2^k with the largest k whose values, bias
       * included, fit this many bits. Absent: leads to the output's.
       */
      readonly innerBits?: number | undefined;
    } & MultiplierWidths)
  /**
   * A piecewise linear function with the clamp in it: constant below and above, one line between.
   * Multiplies and shifts as `scale` does.
   */
  | ({ readonly kind: 'segments' } & MultiplierWidths);

/** From the real factor to what the hardware multiplies by. */
export type ScaleCode =
  /**
   * frexp, then round-half-away(q * 2^31) as a Q31 multiplier and a shift; below 2^-32: zero.
   * `multiplierBits`: width of the signed multiplier, 32 unless given; q is taken times
   * 2^(multiplierBits - 1). `reduced`: the Q31 multiplier m is rounded again to (m + 2^15) >> 16, at
   * most 2^15 - 1, for accumulators of 64 bits.
   */
  | {
      readonly kind: 'q31';
      readonly rule: FixedRule;
      readonly multiplierBits?: number | undefined;
      readonly reduced?: boolean | undefined;
    }
  /** The 24-bit significand of the float32 factor as the multiplier. */
  | { readonly kind: 'f32bits'; readonly rule: FixedRule }
  /** The float32 factor itself; rounds half to even. */
  | { readonly kind: 'f32' }
  /** C's round(double(accumulator) * factor), half away from zero, for 8-bit results. */
  | { readonly kind: 'f64' }
  /** The float32 factor itself, with another rounding than half to even. */
  | { readonly kind: 'f32Rule'; readonly rule: FloatRule }
  /** A shift alone; the factor must be a power of two. */
  | { readonly kind: 'pow2'; readonly rule: RoundRule }
  /** Steps after one another. */
  | { readonly kind: 'staged'; readonly steps: readonly StepForm[] }
  /** As many thresholds as there are codes; together they are round(exact factor) and clamp. */
  | { readonly kind: 'thresholds'; readonly rule: 'halfUp' | 'halfDown' };

/** How the mean of n codes is formed. */
export type MeanForm =
  /** Sum of raw codes divided by n; both sides share scale and zero point. */
  | { readonly kind: 'divide'; readonly s8: DivideRule; readonly u8: DivideRule }
  /** TFLite MEAN: Q31 multiplier of si/so divided by n in integers. */
  | { readonly kind: 'mean'; readonly rule: FixedRule }
  /** f32(si / f32(so * n)), half to even. */
  | { readonly kind: 'f32' }
  /** The same factor, the zero point added in float32 before rounding. */
  | { readonly kind: 'f32ZeroInside' }
  /**
   * TFLite's optimized MEAN: f32(si / f32(n * so)) as Q31, of the raw sum; zero points last. `rest`:
   * the rule for channels that fill no vector; `row`: of a MEAN that drops height and width, which
   * is formed as `mean` with this rule.
   */
  | {
      readonly kind: 'rawMean';
      readonly rule: FixedRule;
      readonly rest?: { readonly vector: number; readonly rule: FixedRule } | undefined;
      readonly row?: FixedRule | undefined;
    }
  /** Sum times round(2^k / n) of `bits` bits, the exponent difference in the shift. */
  | { readonly kind: 'reciprocal'; readonly bits: number; readonly rule: FixedRule }
  /** TOSA, Ethos-U: sum times floor((2^bits + 1) * 2^k / n), k = 32 - clz(n - 1); equal scales. */
  | { readonly kind: 'flooredReciprocal'; readonly bits: number; readonly rule: FixedRule }
  /** The factor si / so / n, in doubles, through `code`. */
  | { readonly kind: 'code'; readonly code: ScaleCode }
  /**
   * NVDLA: the sum times floor(2^bits / width), shifted, times floor(2^bits / height), shifted; two
   * roundings. Sides up to `greatestSide`; equal scales.
   */
  | {
      readonly kind: 'twoReciprocals';
      readonly bits: number;
      readonly greatestSide: number;
      readonly rule: RoundRule;
    }
  /** Vitis DPU: sum times N / 2^M from its table, and the difference of exponents, one shift. */
  | { readonly kind: 'dpuTable'; readonly rule: RoundRule }
  /** ESP-DL: f32(sum) times f32(f32(1 / n) * si / so), rounded by `rule`. */
  | { readonly kind: 'f32Inverse'; readonly rule: FloatRule }
  /**
   * Dequantized, summed, divided and quantized in float32. `wholeImage`: a window over the whole image
   * without padding is left to the global pool (MlasQLinearGlobalAveragePool of onnxruntime).
   */
  | { readonly kind: 'f32Window'; readonly wholeImage?: 'globalPool' | undefined };

/** How a layer's scales become multipliers. */
export interface Recipe {
  readonly product: ScaleProduct;
  readonly code: ScaleCode;
  readonly rest?: Rest | undefined;
}

/**
 * What a kernel does otherwise with the codes that fill no vector: the last of a pixel's channels,
 * or, in a change of scale, of the image.
 */
interface Rest {
  /** Codes of a vector. */
  readonly vector: number;
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
  | { readonly kind: 'f32'; readonly rule: NearestRule }
  /** XNNPACK's convert: the factor has `bits` fractional bits, half to even. */
  | { readonly kind: 'fractional'; readonly bits: number; readonly rule: FixedRule }
  /** TFLite's CONCATENATION: f32(f32(code * ratio) + bias), ratio = f32(si * f32(1 / so)). */
  | { readonly kind: 'f32Biased' };

/** How bilinear interpolation is computed. */
export type LinearResize =
  /**
   * Integer weights of `bits` fractional bits on each axis, one rounding. `steps`: TFLite's coordinates in
   * integers of 10 fractional bits, or float32 ones, whose fractions are rounded half to even.
   */
  | {
      readonly kind: 'integer';
      readonly bits: number;
      readonly rule: RoundRule;
      readonly steps: 'fixed10' | 'f32';
    }
  /** TFLite, uint8: codes weighted in float32, half added and the fraction dropped. */
  | { readonly kind: 'f32Codes' }
  /** The same, where the two weights of a code are multiplied first. */
  | { readonly kind: 'f32Shares' }
  /** onnxruntime: dequantized, weighted and quantized in float32. */
  | { readonly kind: 'f32Reals' };

export interface TargetArithmetic extends Recipe {
  /** What kinds of layers do differently. */
  readonly kinds?: NonNullable<Recipes['kinds']>;
  /** What layers with u8 weights (or u8 factors) do differently, before `kinds`. */
  readonly u8?: Recipes;
  /** What layers over s16 codes do differently; absent: s16 codes are treated as others are. */
  readonly s16?: WideLayers;
  readonly accumulator: {
    readonly bits: number;
    readonly overflow: 'wrap' | 'saturate' | 'saturateSymmetric' | 'trap';
    readonly when: 'each' | 'end';
    /**
     * `satPairs16` applies to u8 codes with s8 weights, except in depthwise convolutions that make
     * one channel of each.
     */
    readonly products: 'exact' | 'satPairs16';
    /** Whether it applies in these, too. */
    readonly pairsInDepthwise?: boolean | undefined;
    readonly biasFirst: boolean;
  };
  /** Width and place of the signed bias, where it is not 32 bits at accumulator scale. */
  readonly bias?: BiasForm | undefined;
  /** How a real clamp bound becomes a code: rounding of f32(bound / scale). */
  readonly clampRounding: NearestRule;
  readonly add:
    /**
     * TFLite: three roundings, inputs shifted left by `leftShift` first. `folded`: their multipliers
     * contain that shift, so their rounding starts from 2^-leftShift of its place. `flooredU8`: of
     * u8 codes, the second rounding of each input is a floor instead. `vector`: both concern whole
     * vectors of so many codes of the image; the last ones have three plain roundings.
     */
    | {
        readonly kind: 'rescaled';
        readonly leftShift: number;
        readonly rule: FixedRule;
        readonly folded?: boolean | undefined;
        readonly flooredU8?: boolean | undefined;
        readonly vector?: number | undefined;
      }
    /** Multipliers of about `bits` bits aligned to the larger ratio. */
    | { readonly kind: 'aligned'; readonly bits: number; readonly rule: RoundRule }
    /** `zeroPointOutside`: the output's zero point is added behind the rounding. */
    | {
        readonly kind: 'f32';
        readonly form: 'separate' | 'fused' | 'direct';
        readonly zeroPointOutside?: boolean | undefined;
      }
    /** Aligns to the finer exponent, adds, shifts once. */
    | { readonly kind: 'pow2'; readonly rule: RoundRule }
    /** Operands are brought to the output's scale first, each rounded; the sum saturates. */
    | { readonly kind: 'saturating' }
    /**
     * Integer weights of `bits` signed bits (1 and 1 for equal scales), and the weighted sum through
     * `code`.
     */
    | { readonly kind: 'weighted'; readonly bits: number; readonly code: ScaleCode };
  /**
   * Averages over windows, padding not counted; `undefined`: there are none. A window that covers
   * the image is a global pool where `divide` does not apply.
   */
  readonly averagePool: MeanForm | undefined;
  readonly globalPool: MeanForm;
  /** Bilinear interpolation of each type of codes; absent: there is none. Nearest ones are copies everywhere. */
  readonly resize?: Readonly<Partial<Record<'s8' | 'u8', LinearResize>>> | undefined;
  /** `undefined`: logits are the output. */
  readonly softmax: { readonly kind: 'gemmlowp' } | TableSoftmax | undefined;
  /** How functions of one value are computed for their table. */
  readonly unary: {
    readonly hardSwish: 'tflite16' | 'f32HalfAway' | 'f32HalfEven';
    readonly sigmoid: 'f32HalfAway' | 'f32HalfEven';
    /**
     * `gemmlowp2`: LiteRT's, a Q31 multiplier for each side of 0. `xnnpack`: multipliers of 8 fractional bits
     * where both slopes lie in [1/256, 128], else the same. Absent: there is none.
     */
    readonly leakyRelu?: 'gemmlowp2' | 'xnnpack' | 'f32HalfEven' | undefined;
    readonly gelu?: 'f32HalfAway' | 'f32HalfEven' | undefined;
    readonly requantize: RequantizeForm;
    /** Of a clamp on its own (RELU, RELU6), where it differs from `requantize`. */
    readonly rectify?: RequantizeForm;
    /** Of a change between signed and unsigned codes, where it differs from `requantize`. */
    readonly retype?: RequantizeForm;
    /** Of the operands of a concatenation, where it differs from `requantize`. */
    readonly concat?: RequantizeForm;
  };
  readonly inputQuantization: {
    readonly form: 'divide' | 'multiplyInverse';
    readonly rule: NearestRule;
  };
}

/** Layers over 16-bit codes without zero points (TFLite's 16x8): recipes and forms of their own. */
export type WideLayers = Recipes &
  Partial<Pick<TargetArithmetic, 'add' | 'globalPool'>> & {
    /** Of the sums of convolutions and fully connected layers. */
    readonly accumulatorBits: number;
    /** A change of scale with 16-bit codes on either side or both; absent: as with 8 bits. */
    readonly requantize?: RequantizeForm | undefined;
    readonly softmax?: WideSoftmax | undefined;
  };

/** TFLite's softmax of 16 bits: how its argument is rounded, and the type its tables are made in. */
export interface WideSoftmax {
  readonly rule: FixedRule;
  readonly tables: 'f32' | 'f64';
}

/** How a bias at accumulator scale becomes the one of the hardware. */
export interface BiasForm {
  /** Of the signed register, 8 to 32. */
  readonly bits: number;
  /** What becomes of a bias that does not fit. */
  readonly overflow: 'refuse' | 'saturate';
  /** Its left shift: fixed, or the `least` with which all channels of a layer fit; 0 if absent. */
  readonly shift?: number | 'least' | undefined;
  /** Rounding of the bits below the shift; half up if absent. */
  readonly rule?: RoundRule | undefined;
}

/** exp by table; the last rounding differs between TFLite's s8 and u8 kernels. */
export interface TableSoftmax {
  readonly kind: 'f32Table';
  readonly s8: TableRule;
  readonly u8: TableRule;
}

/** What a user's own target takes over from the profile that it extends. */
export interface Inherited {
  /** Id of that profile. */
  readonly from: string;
  /** `constraints`, `arithmetic.add`. */
  readonly keys: readonly string[];
  /** Inherited steps that round otherwise than the target's own rule for convolutions. */
  readonly otherRounding: readonly { readonly step: string; readonly rules: readonly string[] }[];
}

/** An arithmetic to be reproduced to the last bit, with what it can represent; written as data. */
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
  /** Whether the runtime computes some layers of QDQ files in float (pipeline/float-layers.ts). */
  readonly qdqInFloat?: boolean | undefined;
  /** Whether its runtime or compiler takes .tflite files. */
  readonly readsTflite?: boolean | undefined;
  /** Whether a convolution with a clamp per channel runs all the same, in float. */
  readonly perChannelClampInFloat?: boolean | undefined;
  /** Of a user's own target that extends another. */
  readonly inherited?: Inherited | undefined;
  readonly constraints: TargetConstraints;
  /** What layers the device takes, where that is published. */
  readonly limits?: DeviceLimits | undefined;
  readonly arithmetic: TargetArithmetic;
}
