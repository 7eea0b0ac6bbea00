// SPDX-License-Identifier: Apache-2.0
// A quantized network, independent of any target: integer weights, and real scales and zero
// points exactly as a file stores them. No multipliers and no shifts: those are a target's
// business and appear when the graph is lowered. Layout as in graph.ts (NCHW, OIHW).
import type { CodeType } from '../numeric/code-types.js';
import type { Clamp, Pads, Pair, Shape, Window } from './graph.js';
import type { Resizing } from './resizing.js';

/** The type of an activation's codes. */
export type QuantDType = CodeType;

/** An activation: real = scale * (code - zeroPoint). */
export interface QuantValue {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: QuantDType;
  /** Bits in use, 2 to 32; codes stay within them even where `dtype` is wider. */
  readonly bits: number;
  /** A float32 value. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Integer weights; `scales` and `zeroPoints` have one entry, or one per output channel. */
export interface QuantWeight {
  readonly dtype: 'u8' | 's8' | 's16';
  readonly bits: number;
  readonly shape: Shape;
  readonly data: Uint8Array | Int8Array | Int16Array;
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
}

interface QuantNodeBase {
  /** The layer's name in reports and taps; unique. */
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Of a layer of a QDQ file for which onnxruntime has no integer kernel. */
  readonly floatKernel?: true;
}

/** A fully connected layer is a Conv over a 1 x 1 image with `fullyConnected` set. */
export interface QuantConv extends QuantNodeBase, Window {
  readonly op: 'Conv';
  readonly dilations: Pair;
  readonly group: number;
  /** [O, C/group, KH, KW] */
  readonly weight: QuantWeight;
  /** [O], at scale (input scale x weight scale of the channel), zero point 0. */
  readonly bias: Int32Array | undefined;
  readonly clamp?: Clamp;
  /** Some targets form the scale of a fully connected layer in another way. */
  readonly fullyConnected: boolean;
  /**
   * Its single weight scale belongs to another dimension than 0 in a .tflite file. That means nothing
   * for the arithmetic, but XNNPACK does not take such uint8 weights.
   */
  readonly oddWeightAxis?: true;
  /**
   * DEPTHWISE_CONV_2D over a single channel in a .tflite file, which its shape does not tell from
   * CONV_2D; the optimized kernels round the two differently.
   */
  readonly oneChannelDepthwise?: true;
}

/** An operation on codes of two tensors of one shape. */
export interface QuantElementwise extends QuantNodeBase {
  readonly op: 'Add' | 'Mul';
  readonly clamp?: Clamp;
}

/** A pool over a window of each channel of codes. */
export interface QuantPool extends QuantNodeBase, Window {
  readonly op: 'AveragePool' | 'MaxPool';
  readonly countIncludePad: boolean;
  readonly clamp?: Clamp;
}

/** The mean of each channel over the whole image. */
export interface QuantGlobalPool extends QuantNodeBase {
  readonly op: 'GlobalAveragePool';
  /**
   * A MEAN of a .tflite file that drops height and width (keep_dims is false); the optimized kernels
   * leave it to the reference one.
   */
  readonly rowMean?: true;
}

/** Along channels. */
export interface QuantConcat extends QuantNodeBase {
  readonly op: 'Concat';
}

/** Pads with real zero, that is with the zero point. */
export interface QuantPad extends QuantNodeBase {
  readonly op: 'Pad';
  readonly pads: Pads;
}

/** Keeps the element order of the NCHW tensor and the quantization. */
export interface QuantReshape extends QuantNodeBase {
  readonly op: 'Reshape';
}

/** Rows and columns; mode `nearest` keeps the quantization, and so may `linear`. */
export interface QuantResize extends QuantNodeBase, Resizing {
  readonly op: 'Resize';
}

/** beta scales the logits; along channels. */
export interface QuantSoftmax extends QuantNodeBase {
  readonly op: 'Softmax';
  readonly beta: number;
}

/**
 * A function of one value: codes in, codes out. `Requantize` only changes scale and zero point.
 * `Clamp` bounds as in a fused clamp.
 */
export interface QuantUnary extends QuantNodeBase {
  readonly op: 'HardSwish' | 'HardSigmoid' | 'Sigmoid' | 'LeakyRelu' | 'Gelu' | 'Requantize';
  readonly clamp?: Clamp;
  /** HardSigmoid and HardSwish: slope and offset of the inner ramp. LeakyRelu: slope below 0. */
  readonly alpha?: number;
  readonly beta?: number;
  /** Gelu: by tanh. */
  readonly approximate?: true;
}

/** One operation of a quantized graph. */
export type QuantNode =
  | QuantConv
  | QuantElementwise
  | QuantPool
  | QuantGlobalPool
  | QuantConcat
  | QuantPad
  | QuantReshape
  | QuantResize
  | QuantSoftmax
  | QuantUnary;

/** Facts that travel in the file's metadata (keys `lastbit.*`, see onnx/NOTES.md). */
export interface QuantMetadata {
  /** Full id of the target it was quantized for. */
  readonly target?: string;
  /** Name of the preprocessing preset. */
  readonly preprocess?: string;
  /** sha256 over the calibration inputs, hex. */
  readonly calibration?: string;
  /** Version of lastbit that wrote it. */
  readonly version?: string;
  /**
   * By value name, one factor for each channel, where some factor is not 1: the channels of that value
   * are the float original's times these; no part of the arithmetic.
   */
  readonly channelFactors?: ReadonlyMap<string, Float32Array>;
}

/**
 * A quantized network as files carry it: integer weights, real scales and zero points, and no
 * multipliers or shifts, which a target adds.
 */
export interface QuantGraph {
  readonly name: string;
  readonly input: string;
  readonly outputs: readonly string[];
  readonly values: ReadonlyMap<string, QuantValue>;
  /** In topological order. */
  readonly nodes: readonly QuantNode[];
  readonly metadata: QuantMetadata;
  /** Where it came from; decides the default target. */
  readonly origin: 'lastbit' | 'qdq' | 'qop' | 'tflite';
  /** What an importer left out of the file, one sentence each, for people. */
  readonly notes?: readonly string[];
}
