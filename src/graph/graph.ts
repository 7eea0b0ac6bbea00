// SPDX-License-Identifier: Apache-2.0
// The float network between import and quantization. Layout is ONNX's: activations NCHW with
// N = 1, convolution weights OIHW. Everything here is read-only; passes return new graphs.

import type { Resizing } from './resizing.js';

/** Element types that a constant or a value may have. */
export type DType = 'f32' | 'f64' | 's64' | 's32' | 's16' | 's8' | 'u8' | 'bool';

/** Dimensions, outermost first; every one is known once the graph is imported. */
export type Shape = readonly number[];

/** A constant. s64 data is held as numbers in a Float64Array (shapes and axes: below 2^53). */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Float32Array | Float64Array | Int32Array | Int16Array | Int8Array | Uint8Array;
}

/** A graph input or output. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/**
 * Bounds that an operator applies to its own output, in real units. One entry for the whole
 * tensor or one per output channel; an open side is -Infinity or Infinity.
 */
export interface Clamp {
  readonly lo: Float32Array;
  readonly hi: Float32Array;
}

interface NodeBase {
  readonly name: string;
  /** Value names; an absent optional input is the empty string. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Rows above, columns to the left, rows below, columns to the right. */
export type Pads = readonly [top: number, left: number, bottom: number, right: number];
/** Two numbers of a window: rows before columns. */
export type Pair = readonly [height: number, width: number];

/** The window of a convolution or pool: size, strides and padding in elements. */
export interface Window {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly pads: Pads;
}

/** inputs: x [1,C,H,W], weight [O,C/group,KH,KW], bias [O] or ''. */
export interface ConvNode extends NodeBase, Window {
  readonly op: 'Conv';
  readonly dilations: Pair;
  readonly group: number;
  readonly clamp?: Clamp;
}

/** inputs: x, scale, bias, mean, variance (each [C]). */
export interface BatchNormNode extends NodeBase {
  readonly op: 'BatchNorm';
  readonly epsilon: number;
}

/** y = alpha * A' * B' + beta * C; inputs: a, b, c or ''. */
export interface GemmNode extends NodeBase {
  readonly op: 'Gemm';
  readonly alpha: number;
  readonly beta: number;
  readonly transA: boolean;
  readonly transB: boolean;
}

/** Element-wise sum of two values of one shape. */
export interface AddNode extends NodeBase {
  readonly op: 'Add';
  readonly clamp?: Clamp;
}

/** Bounds in real units; Relu is [0, Infinity], Relu6 is [0, 6]. */
export interface ClampNode extends NodeBase {
  readonly op: 'Clamp';
  readonly clamp: Clamp;
}

/** Mean over a window of each channel (NCHW). */
export interface AveragePoolNode extends NodeBase, Window {
  readonly op: 'AveragePool';
  /** Whether padded positions count in the divisor. */
  readonly countIncludePad: boolean;
}

/** Greatest value in a window of each channel (NCHW). */
export interface MaxPoolNode extends NodeBase, Window {
  readonly op: 'MaxPool';
  readonly dilations: Pair;
}

/** Mean over H and W: [1,C,H,W] -> [1,C,1,1]. */
export interface GlobalAveragePoolNode extends NodeBase {
  readonly op: 'GlobalAveragePool';
}

/** Values one after the other along an axis. */
export interface ConcatNode extends NodeBase {
  readonly op: 'Concat';
  readonly axis: number;
}

/** Constant padding; `begin` and `end` have one entry per dimension. */
export interface PadNode extends NodeBase {
  readonly op: 'Pad';
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly value: number;
}

/** A change of shape that keeps the element order (Reshape, Flatten, Squeeze, Unsqueeze). */
export interface ReshapeNode extends NodeBase {
  readonly op: 'Reshape';
  readonly shape: Shape;
}

/** Axes in another order. */
export interface TransposeNode extends NodeBase {
  readonly op: 'Transpose';
  readonly perm: readonly number[];
}

/** Softmax over one axis. */
export interface SoftmaxNode extends NodeBase {
  readonly op: 'Softmax';
  readonly axis: number;
}

/** y = x * max(0, min(1, alpha * x + beta)) for HardSwish; without the leading x for HardSigmoid. */
export interface HardSigmoidNode extends NodeBase {
  readonly op: 'HardSigmoid' | 'HardSwish';
  readonly alpha: number;
  readonly beta: number;
}

/** x times the standard normal distribution function of x, or tanh's approximation of it. */
export interface GeluNode extends NodeBase {
  readonly op: 'Gelu';
  readonly approximate: boolean;
}

/** ReduceMean over the given axes. */
export interface ReduceMeanNode extends NodeBase {
  readonly op: 'ReduceMean';
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** [1,C,H,W] -> [1,C,...size]. */
export interface ResizeNode extends NodeBase, Resizing {
  readonly op: 'Resize';
}

/** Operators without attributes that passes fold away or that stay as they are. */
export interface PlainNode extends NodeBase {
  readonly op: 'Identity' | 'Mul' | 'Sub' | 'Div' | 'MatMul' | 'Sigmoid';
}

/** One operation of a float graph. */
export type Node =
  | ConvNode
  | BatchNormNode
  | GemmNode
  | AddNode
  | ClampNode
  | AveragePoolNode
  | MaxPoolNode
  | GlobalAveragePoolNode
  | ConcatNode
  | PadNode
  | ReshapeNode
  | TransposeNode
  | SoftmaxNode
  | HardSigmoidNode
  | GeluNode
  | ReduceMeanNode
  | ResizeNode
  | PlainNode;

/** The name of an operation of a float graph. */
export type OpName = Node['op'];

/**
 * What a folded batch norm said about the channels of a convolution's output *before* its
 * activation: y = alpha * conv(x) + ..., distributed around `mean` with deviation `std`
 * (the norm's beta and |gamma|). Kept for data-free steps and for analysis.
 * `alpha` = gamma / sqrt(variance + epsilon), the factor that was folded into the weights;
 * `variance` is the norm's own running variance of the convolution's raw output.
 */
export interface ChannelStatistics {
  readonly mean: Float32Array;
  readonly std: Float32Array;
  readonly alpha: Float32Array;
  readonly variance: Float32Array;
}

/**
 * A float network: its inputs, its operations in an order that can run, its constants, its
 * outputs.
 */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** In topological order. */
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Tensor>;
  /** The shape of every value a node or an input produces. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** By convolution node name, for those that had a batch norm folded in. */
  readonly normalizations: ReadonlyMap<string, ChannelStatistics>;
  /** `metadata_props` of the file. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Runs a float graph; made by `float/`, handed to whoever needs numbers. */
export interface FloatRunner {
  /**
   * @param input f32 NCHW, the graph's single input
   * @returns f32 data of each tapped value and each output, by value name; the arrays are the
   *   caller's to keep
   */
  run(input: Float32Array): Promise<ReadonlyMap<string, Float32Array>>;
  /** Gives the session back; the runner cannot run after it. */
  close(): Promise<void>;
}

/** How a float graph is run. */
export interface RunnerChoice {
  /** Lets the runtime rearrange the graph: faster, and sums may round in another order. */
  readonly optimize?: boolean;
}

/** Opens a runner that also returns the values named in `taps`. */
export type OpenFloatRunner = (
  graph: Graph,
  taps: readonly string[],
  choice?: RunnerChoice,
) => Promise<FloatRunner>;
