// SPDX-License-Identifier: Apache-2.0
// Small operations on constants: what shape inference, import and folding need of tensor algebra.
import type { DType, Shape, Tensor } from './graph.js';

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** An f32 constant; `values` are rounded to float32. */
export function f32Tensor(shape: Shape, values: ArrayLike<number>): Tensor {
  return { dtype: 'f32', shape, data: Float32Array.from(values) };
}

/** An s64 constant of one dimension, as ONNX keeps shapes and axes. */
export function s64Tensor(values: readonly number[]): Tensor {
  return { dtype: 's64', shape: [values.length], data: Float64Array.from(values) };
}

/** The array class that {@link Tensor.data} has for `dtype`. */
export function arrayFor(dtype: DType): new (length: number) => Tensor['data'] {
  switch (dtype) {
    case 'f32':
      return Float32Array;
    case 'f64':
    case 's64':
      return Float64Array;
    case 's32':
      return Int32Array;
    case 's16':
      return Int16Array;
    case 's8':
      return Int8Array;
    case 'u8':
    case 'bool':
      return Uint8Array;
  }
}

/** The common shape under NumPy's broadcasting rules; undefined when there is none. */
export function broadcastShape(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    result.push(left === 1 ? right : left);
  }
  return result;
}

/** Elements to step over for one step along each dimension, row-major. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** For every element of a tensor of `shape`, in order: the offset that `strides` give it. */
function offsets(shape: Shape, strides: readonly number[]): Int32Array {
  const result = new Int32Array(elementCount(shape));
  let filled = 1;
  // Innermost dimension first: each step repeats what is there, moved by one more stride.
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    for (let step = 1; step < shape[axis]!; step++) {
      for (let i = 0; i < filled; i++)
        result[step * filled + i] = result[i]! + step * strides[axis]!;
    }
    filled *= shape[axis]!;
  }
  return result;
}

/** Repeats a constant's elements along dimensions of size 1 up to `shape`. */
export function broadcastTo(tensor: Tensor, shape: Shape): Tensor {
  if (sameShape(tensor.shape, shape)) return tensor;
  const missing = shape.length - tensor.shape.length;
  const own = stridesOf(tensor.shape);
  const strides = shape.map((_, i) =>
    i < missing || tensor.shape[i - missing] === 1 ? 0 : own[i - missing]!,
  );
  return gatherOffsets(tensor, shape, offsets(shape, strides));
}

/** Output dimension i is input dimension perm[i]. */
export function transposeTensor(tensor: Tensor, perm: readonly number[]): Tensor {
  const own = stridesOf(tensor.shape);
  const shape = perm.map((axis) => tensor.shape[axis]!);
  return gatherOffsets(
    tensor,
    shape,
    offsets(
      shape,
      perm.map((axis) => own[axis]!),
    ),
  );
}

function gatherOffsets(tensor: Tensor, shape: Shape, from: Int32Array): Tensor {
  const data = new (arrayFor(tensor.dtype))(from.length);
  for (let i = 0; i < from.length; i++) data[i] = tensor.data[from[i]!]!;
  return { dtype: tensor.dtype, shape, data };
}

/** The same elements under another shape. */
export function reshapeTensor(tensor: Tensor, shape: Shape): Tensor {
  return { ...tensor, shape };
}

/**
 * Applies `f` to pairs of elements under broadcasting; undefined when the shapes do not fit.
 * Computed in float64 and rounded once to the dtype of `a`.
 */
export function combine(
  a: Tensor,
  b: Tensor,
  f: (x: number, y: number) => number,
): Tensor | undefined {
  const shape = broadcastShape(a.shape, b.shape);
  if (shape === undefined) return undefined;
  const left = broadcastTo(a, shape).data;
  const right = broadcastTo(b, shape).data;
  const data = new (arrayFor(a.dtype))(left.length);
  for (let i = 0; i < data.length; i++) data[i] = f(left[i]!, right[i]!);
  return { dtype: a.dtype, shape, data };
}

/** Applies `f` to every element; the result has the same dtype. */
export function mapTensor(tensor: Tensor, f: (x: number) => number): Tensor {
  const data = new (arrayFor(tensor.dtype))(tensor.data.length);
  for (let i = 0; i < data.length; i++) data[i] = f(tensor.data[i]!);
  return { ...tensor, data };
}

/**
 * A constant as one value per channel of an activation of `shape` (channels on axis 1), when
 * broadcasting makes it that: a scalar, or of size 1 on every other axis. Else undefined.
 */
export function perChannel(tensor: Tensor, shape: Shape): Float64Array | undefined {
  const channels = shape[1];
  if (channels === undefined || tensor.shape.length > shape.length) return undefined;
  const missing = shape.length - tensor.shape.length;
  if (tensor.shape.some((size, i) => size !== 1 && i + missing !== 1)) return undefined;
  if (tensor.data.length !== 1 && tensor.data.length !== channels) return undefined;
  return Float64Array.from({ length: channels }, (_, c) =>
    tensor.data.length === 1 ? tensor.data[0]! : tensor.data[c]!,
  );
}
