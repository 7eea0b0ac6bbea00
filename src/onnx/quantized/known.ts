// SPDX-License-Identifier: Apache-2.0
// What may be known of a tensor of a quantized ONNX file while its nodes are read in order: types
// alone, which ImportState and the operators share.
import type { Clamp, Shape } from '../../graph/graph.js';
import type { QuantConv, QuantDType, QuantValue } from '../../graph/quant-graph.js';
import type { OnnxData, OnnxTensor } from '../file/model.js';

/** How an activation's codes are read. */
export type Quantization = Pick<QuantValue, 'dtype' | 'bits' | 'scale' | 'zeroPoint'>;

/** Integer constants with their scales: weights, biases, constant operands. */
export interface ConstantCodes {
  readonly dtype: QuantDType;
  readonly bits: number;
  readonly shape: readonly number[];
  readonly data: OnnxData;
  /** One, or one per index of `axis`. */
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  readonly axis: number;
}

/** A convolution whose output is not quantized yet. */
export type ConvLayer = Omit<QuantConv, 'op' | 'output' | 'clamp'>;

/** What a chain of Add, Sub, Mul and Div with constants does to a value. */
export interface Affine {
  readonly value: string;
  /** One per channel. */
  readonly gain: Float64Array;
  readonly shift: Float64Array;
}

/** A bias that 32 bits cannot hold, in real units. */
export interface BiasLoss {
  readonly channel: number;
  readonly wanted: number;
  readonly held: number;
}

/** A float operator on the input. */
export interface HeadStep {
  readonly node: string;
  /** The formula, given that of what it reads. */
  readonly formula: (x: string) => string;
}

/** The result of a float operator on dequantized inputs, until a QuantizeLinear gives it codes. */
export interface Pending {
  /** The layer's name. */
  readonly name: string;
  readonly shape: Shape;
  /** Bounds met since; undefined while there are none. */
  readonly clamp: Clamp | undefined;
  /** Whether the layer can apply a clamp itself. */
  readonly takesClamp: boolean;
  /** The value whose quantization the result has where it gets none of its own. */
  readonly inherits?: string;
  /** Whether the layer only moves codes, so that it cannot have another quantization. */
  readonly movesOnly?: boolean;
  /** Still open to a bias. */
  readonly conv?: ConvLayer;
  /** A HardSigmoid of this value, which a product with the value turns into HardSwish. */
  readonly gate?: { readonly value: string; readonly alpha: number; readonly beta: number };
  /** What the layer reads, where it may be left out at the end of a network. */
  readonly tailOf?: string;
  /** Gain and shift per channel of a value, open to more of them. */
  readonly affine?: Affine;
  /** The quantization that the layer's integer sums have without any QuantizeLinear. */
  readonly wide?: Quantization;
  /** Adds the layer to the graph. */
  readonly emit: (output: QuantValue, clamp: Clamp | undefined) => void;
  /** Shared by all variants of one layer: what it became. */
  readonly fate: { value?: string; clamp?: Clamp | undefined; reported?: boolean };
}

export type Known =
  | { readonly kind: 'constant'; readonly tensor: OnnxTensor }
  /** A quantized constant and its real counterpart behind DequantizeLinear. */
  | { readonly kind: 'constantCodes' | 'constantReal'; readonly codes: ConstantCodes }
  /** The network's input before its quantization is known, behind float operators perhaps. */
  | {
      readonly kind: 'input';
      readonly shape: Shape;
      readonly dtype: 'f32' | 'u8' | 's8' | 's16';
      readonly head?: readonly HeadStep[];
    }
  | { readonly kind: 'codes' | 'real'; readonly value: string }
  | { readonly kind: 'pending'; readonly pending: Pending }
  /** A value times a constant: the temperature of a softmax. */
  | { readonly kind: 'scaled'; readonly value: string; readonly factor: number }
  /** On the way to int32 codes: divided by a scale, perhaps rounded. */
  | {
      readonly kind: 'quotient';
      readonly pending: Pending;
      readonly tensor: string;
      readonly scale: number;
      readonly rounded: boolean;
    }
  /** The int32 result of ConvInteger or MatMulInteger, cast to float or not. */
  | { readonly kind: 'sums'; readonly withScales: (scales: Float32Array) => Pending | undefined }
  /** Float operators after the last quantized value. */
  | { readonly kind: 'tail'; readonly value: string; readonly node: string }
  /** Something that has already been reported. */
  | { readonly kind: 'failed' };
