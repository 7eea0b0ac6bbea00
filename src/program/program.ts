// SPDX-License-Identifier: Apache-2.0
// The integer program, as data. What each field means to the last bit stands in NOTES.md beside
// this file, which is the specification; the byte layout is there too.

import type { CodeType } from '../numeric/code-types.js';
import type { FixedRule } from '../numeric/requant.js';
import type { DivideRule, FloatRule, NearestRule, RoundRule, TableRule } from '../numeric/round.js';

/** Version of the byte layout and of its meaning; readers accept exactly this one. */
export const programVersion = 1;

/** An activation: one image, NHWC, dense. Only `zeroPoint` takes part in the arithmetic. */
export interface ProgramTensor {
  readonly name: string;
  readonly dtype: CodeType;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly zeroPoint: number;
  /** A float32 value, for people and for comparisons: real = scale * (code - zeroPoint). */
  readonly scale: number;
}

/** One step of a hardware pipeline behind the accumulator, on exact integers. */
export type Stage =
  | { readonly kind: 'add'; readonly value: BigInt64Array }
  | { readonly kind: 'multiply'; readonly factor: Int32Array }
  | {
      readonly kind: 'shift';
      /** Right shift, -31 to 62; negative shifts left. */
      readonly shift: Int8Array;
      readonly rule: RoundRule;
    }
  /** To the range of `bits` signed bits, 2 to 62. */
  | { readonly kind: 'saturate'; readonly bits: number }
  | { readonly kind: 'clamp'; readonly lo: BigInt64Array; readonly hi: BigInt64Array }
  | {
      /** A piecewise linear function, the same for all channels; one entry per segment. */
      readonly kind: 'segments';
      /** Strictly ascending; segment k holds from `start[k]` on, the first also below. */
      readonly start: BigInt64Array;
      readonly multiplier: Int32Array;
      /** 0 to 62. */
      readonly shift: Uint8Array;
      readonly offset: BigInt64Array;
      readonly rule: RoundRule;
    }
  | {
      /** How many of the thresholds a value reaches (or, if strict, exceeds). */
      readonly kind: 'thresholds';
      /** Thresholds of one channel. */
      readonly count: number;
      /** [count], or [channels][count]; ascending within a channel. */
      readonly values: BigInt64Array;
      readonly strict: boolean;
    };

/** From an accumulator to a code, before the zero point and the clamp. Arrays: 1 or per channel. */
export type Requant =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'fixed';
      readonly multiplier: Int32Array;
      /** Total right shift, 1 to 62. */
      readonly shift: Uint8Array;
      readonly rule: FixedRule;
    }
  | { readonly kind: 'f32'; readonly scale: Float32Array }
  | {
      readonly kind: 'shift';
      /** Right shift, -31 to 62; negative shifts left. */
      readonly shift: Int8Array;
      readonly rule: RoundRule;
    }
  /** Steps after one another, each exact. At least one. */
  | { readonly kind: 'stages'; readonly stages: readonly Stage[] }
  /** As `f32`, with another rounding than half to even. */
  | { readonly kind: 'f32Rule'; readonly scale: Float32Array; readonly rule: FloatRule }
  /** The same in binary64, half away from zero. */
  | { readonly kind: 'f64'; readonly scale: Float64Array };

/** Bounds on codes, one for all channels or one per channel; within the output's type. */
export interface CodeClamp {
  readonly lo: Int32Array;
  readonly hi: Int32Array;
}

export interface Accumulator {
  /** 16 to 64. */
  readonly bits: number;
  readonly overflow: 'wrap' | 'saturate' | 'saturateSymmetric' | 'trap';
  /** Whether `overflow` applies after each addition or once, to the exact sum. */
  readonly when: 'each' | 'end';
  /** `satPairs16`: pairs of products saturate to 16 bits (x86 VPMADDUBSW). */
  readonly products: 'exact' | 'satPairs16';
  readonly biasFirst: boolean;
}

export type Pair = readonly [height: number, width: number];
export type Pads = readonly [top: number, left: number, bottom: number, right: number];

interface OpBase {
  readonly name: string;
  /** Indices into `tensors`. */
  readonly inputs: readonly number[];
  readonly output: number;
}

export interface ConvOp extends OpBase {
  readonly op: 'conv';
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly groups: number;
  readonly weightType: 's8' | 'u8' | 's16';
  /** [oc][ky][kx][ic / groups], dense. */
  readonly weights: Int8Array | Uint8Array | Int16Array;
  /** One, or one per output channel. */
  readonly weightZeroPoints: Int32Array;
  /** [oc] */
  readonly bias: Int32Array;
  readonly accumulator: Accumulator;
  readonly requant: Requant;
  readonly clamp: CodeClamp;
}

export type AddForm =
  | {
      /** TFLite: both operands rescaled, summed, rescaled; three roundings. */
      readonly kind: 'rescaled';
      readonly leftShift: number;
      readonly multiplierA: number;
      readonly shiftA: number;
      readonly multiplierB: number;
      readonly shiftB: number;
      readonly multiplierOut: number;
      readonly shiftOut: number;
      readonly rule: FixedRule;
    }
  | {
      /** One common shift, one rounding. */
      readonly kind: 'aligned';
      readonly multiplierA: number;
      readonly multiplierB: number;
      /** 0 to 62. */
      readonly shift: number;
      readonly rule: RoundRule;
    }
  | {
      /** float32 with the operations in a fixed order. */
      readonly kind: 'f32';
      readonly form: 'separate' | 'fused' | 'direct';
      readonly scaleA: number;
      readonly scaleB: number;
      readonly scaleOut: number;
    }
  | {
      /** A weighted sum through any requantization. */
      readonly kind: 'requant';
      readonly multiplierA: number;
      readonly multiplierB: number;
      readonly requant: Requant;
    }
  | {
      /** What each operand of 8 bits brings, by its code; the sum through any requantization. */
      readonly kind: 'tables';
      /** Entry i answers the i-th code of the operand's type, counted from its least one. */
      readonly tableA: Int32Array;
      readonly tableB: Int32Array;
      readonly requant: Requant;
    };

export interface AddOp extends OpBase {
  readonly op: 'add';
  readonly form: AddForm;
  readonly clamp: CodeClamp;
}

/** The second operand may be 1 x 1 x C and is then repeated over the image. */
export interface MulOp extends OpBase {
  readonly op: 'mul';
  readonly requant: Requant;
  readonly clamp: CodeClamp;
}

export type AverageForm =
  /** The sum of raw codes divided by the number of positions inside the image. */
  | { readonly kind: 'divide'; readonly rule: DivideRule }
  /** The sum of (code - zero point) over the window, padding contributing 0, requantized. */
  | { readonly kind: 'requant'; readonly requant: Requant }
  /** Dequantized, summed in window order, divided and quantized in float32. */
  | { readonly kind: 'f32Window'; readonly scaleIn: number; readonly scaleOut: number };

export interface AveragePoolOp extends OpBase {
  readonly op: 'averagePool';
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly pads: Pads;
  readonly form: AverageForm;
  readonly clamp: CodeClamp;
}

export interface MaxPoolOp extends OpBase {
  readonly op: 'maxPool';
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly pads: Pads;
  readonly clamp: CodeClamp;
}

/** Joins images along channels; codes are copied. */
export interface ConcatOp extends OpBase {
  readonly op: 'concat';
}

/** Adds a border of zero points. */
export interface PadOp extends OpBase {
  readonly op: 'pad';
  readonly pads: Pads;
}

/** Same codes in the same NHWC order, another shape. */
interface ReshapeOp extends OpBase {
  readonly op: 'reshape';
}

/**
 * Of two tensors that hold the same values, rounded in two ways: code i, in NHWC order, is the
 * second's where i mod `period` is at least `from`, else the first's.
 */
export interface SpliceOp extends OpBase {
  readonly op: 'splice';
  readonly period: number;
  /** 1 to period - 1. */
  readonly from: number;
}

/** Of each row (or column) of a result, the two of the input that it lies between; they may be equal. */
export interface ResizeAxis {
  readonly first: Int32Array;
  readonly second: Int32Array;
}

/** What each of the two counts for, in float32, -2 to 2. */
export interface ResizeWeights {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export type ResizeForm =
  | {
      /** Exact weights of `bits` fractional bits on both axes, and one rounding; 0 bits copy codes. */
      readonly kind: 'integer';
      /** 0 to 11. */
      readonly bits: number;
      readonly rule: RoundRule;
      /** Of the second row and column, 0 to 2^bits; the first has the rest. */
      readonly rows: Int32Array;
      readonly columns: Int32Array;
    }
  /** Codes weighted in float32, half added and the fraction dropped. */
  | { readonly kind: 'f32Codes'; readonly rows: ResizeWeights; readonly columns: ResizeWeights }
  /** The same, where the two weights of a code are multiplied first. */
  | { readonly kind: 'f32Shares'; readonly rows: ResizeWeights; readonly columns: ResizeWeights }
  | {
      /** Dequantized, weighted and quantized in float32. */
      readonly kind: 'f32Reals';
      readonly scaleIn: number;
      readonly scaleOut: number;
      readonly rows: ResizeWeights;
      readonly columns: ResizeWeights;
    };

/** An image of another height and width; each code lies between four of the input's. */
export interface ResizeOp extends OpBase {
  readonly op: 'resize';
  readonly rows: ResizeAxis;
  readonly columns: ResizeAxis;
  readonly form: ResizeForm;
}

/** One code in, one code out, by a table of all codes: every function of one value. */
export interface LutOp extends OpBase {
  readonly op: 'lut';
  /** Entry i answers the i-th code of the input's type, counted from its least one. */
  readonly table: Int32Array;
}

export type SoftmaxForm =
  | {
      /** gemmlowp's Q5.26 fixed point, as in the TFLite reference and TFLM. */
      readonly kind: 'gemmlowp';
      readonly multiplier: number;
      /** Left shift of the difference, 0 to 31. */
      readonly leftShift: number;
      readonly diffMin: number;
    }
  | {
      /** exp by a table of float32, summed in channel order. */
      readonly kind: 'f32Table';
      /** 256 entries; entry i is for a difference of -i from the maximum. */
      readonly table: Float32Array;
      readonly outputScale: number;
      readonly rule: TableRule;
    }
  | {
      /** s16: exp and the reciprocal by tables, Q0.15. */
      readonly kind: 'wideTable';
      /** 65536 entries; entry i is for a difference of -i from the maximum. */
      readonly exp: Int16Array;
      /** 65536 entries: 1 / (1 + x), x from 0 to 1. */
      readonly reciprocal: Int16Array;
    };

export interface SoftmaxOp extends OpBase {
  readonly op: 'softmax';
  readonly form: SoftmaxForm;
}

export type Op =
  | ConvOp
  | AddOp
  | MulOp
  | AveragePoolOp
  | MaxPoolOp
  | ConcatOp
  | PadOp
  | ReshapeOp
  | LutOp
  | SoftmaxOp
  | SpliceOp
  | ResizeOp;

/** How a real input becomes codes; scale and zero point are the input tensor's. */
export interface InputQuantization {
  /** `divide`: f32(x / scale). `multiplyInverse`: f32(x * f32(1 / scale)). */
  readonly form: 'divide' | 'multiplyInverse';
  readonly rule: NearestRule;
}

/**
 * A network lowered to a target's integers: tensors, operations and every constant;
 * `src/program/NOTES.md` specifies it.
 */
export interface Program {
  /** Full id of the target whose arithmetic it carries. */
  readonly target: string;
  /** Facts for people and tools (preprocessing, labels); no part of the arithmetic. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly ProgramTensor[];
  readonly input: number;
  readonly inputQuantization: InputQuantization;
  readonly outputs: readonly number[];
  /** In an order in which each input is written before it is read. */
  readonly ops: readonly Op[];
}
