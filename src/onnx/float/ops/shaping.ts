// SPDX-License-Identifier: Apache-2.0
// Operators that only rearrange: shapes, axes, padding, and those that do nothing at inference.
import type { Shape } from '../../../graph/graph.js';
import { elementCount } from '../../../graph/tensors.js';
import { dtypeOf } from '../../file/dtypes.js';
import type { OnnxDType } from '../../file/model.js';
import type { ImportOp, NodeContext } from '../context.js';
import { Unsupported } from '../problems.js';

const reshapeTo = (context: NodeContext, shape: Shape) =>
  ({ ...context.base([context.input(0)]), op: 'Reshape', shape }) as const;

/** Reshape (5, 13, 14, 19): 0 copies a size, -1 takes what is left. */
export const importReshape: ImportOp = (context) => {
  const wanted = context.integers(1, 'shape');
  if (wanted === undefined) throw new Unsupported('no shape');
  const allowZero = context.attributes.flag('allowzero', false);
  return reshapeTo(context, resolveShape(context.shape(0), wanted, allowZero));
};

/** The sizes that a Reshape asks for, with 0 and -1 resolved. */
export function resolveShape(x: Shape, wanted: readonly number[], allowZero: boolean): Shape {
  const shape = wanted.map((size, i) => (size === 0 && !allowZero ? (x[i] ?? 0) : size));
  const known = elementCount(shape.filter((size) => size !== -1));
  return shape.map((size) => (size === -1 ? elementCount(x) / known : size));
}

/** Flatten (1, 9, 11, 13, 21): two dimensions, split at `axis`. */
export const importFlatten: ImportOp = (context) => {
  const x = context.shape(0);
  const stated = context.attributes.int('axis', 1);
  const axis = stated < 0 ? stated + x.length : stated;
  return reshapeTo(context, [elementCount(x.slice(0, axis)), elementCount(x.slice(axis))]);
};

/** Squeeze: axes as an attribute (1, 11) or as an input (13). */
export const importSqueeze: ImportOp = (context) => {
  const x = context.shape(0);
  const stated = context.attributes.ints('axes') ?? context.integers(1, 'axes');
  return reshapeTo(context, squeezed(context, x, stated));
};

/** Shape without the given axes, or without every axis of size 1. */
export function squeezed(
  context: NodeContext,
  x: Shape,
  stated: readonly number[] | undefined,
): Shape {
  const axes = stated === undefined ? undefined : context.axes(stated, x.length);
  return x.filter((size, axis) => !(axes === undefined ? size === 1 : axes.includes(axis)));
}

/** Unsqueeze: axes as an attribute (1, 11) or as an input (13). */
export const importUnsqueeze: ImportOp = (context) => {
  const stated = context.attributes.ints('axes') ?? context.integers(1, 'axes') ?? [];
  return reshapeTo(context, unsqueezed(context, context.shape(0), stated));
};

/** Shape with axes of size 1 put in, counted in the result. */
export function unsqueezed(context: NodeContext, x: Shape, stated: readonly number[]): Shape {
  const shape = [...x];
  for (const axis of context.axes(stated, x.length + stated.length)) shape.splice(axis, 0, 1);
  return shape;
}

/** Transpose (1, 13, 21); without `perm` the axes are reversed. */
export const importTranspose: ImportOp = (context) => {
  const reversed = context.shape(0).map((_, axis, x) => x.length - 1 - axis);
  return { ...context.base(), op: 'Transpose', perm: context.attributes.ints('perm') ?? reversed };
};

/** Concat (4, 11, 13). */
export const importConcat: ImportOp = (context) => {
  const rank = context.shape(0).length;
  if (!context.attributes.has('axis')) throw new Unsupported('no axis');
  return {
    ...context.base(),
    op: 'Concat',
    axis: context.axis(context.attributes.int('axis', 1), rank),
  };
};

/** Pad: amounts as attributes (2) or as inputs (11, 13, 18, 19, 21), constant mode. */
export const importPad: ImportOp = (context) => {
  const { attributes } = context;
  const mode = attributes.text('mode', 'constant');
  if (mode !== 'constant') throw new Unsupported(`mode "${mode}"`);
  const rank = context.shape(0).length;
  const amounts = attributes.ints('pads') ?? context.integers(1, 'pads');
  const stated = context.integers(3, 'axes');
  const axes = stated?.map((axis) => context.axis(axis, rank)) ?? [...context.shape(0).keys()];
  if (amounts?.length !== 2 * axes.length) throw new Unsupported('pads that do not fit the axes');
  if (amounts.some((amount) => amount < 0)) throw new Unsupported('negative pads (cropping)');
  const begin = new Array<number>(rank).fill(0);
  const end = new Array<number>(rank).fill(0);
  axes.forEach((axis, i) => {
    begin[axis] = amounts[i]!;
    end[axis] = amounts[axes.length + i]!;
  });
  const value = attributes.float('value', context.scalar(2, 'constant_value') ?? 0);
  return { ...context.base([context.input(0)]), op: 'Pad', begin, end, value };
};

/** Identity (1, 13, ...). */
export const importIdentity: ImportOp = (context) => ({
  ...context.base([context.input(0)]),
  op: 'Identity',
});

/** Dropout (7, 10, 12, 13) at inference. */
export const importDropout: ImportOp = (context) => {
  context.attributes.ignore('ratio', 'seed', 'is_test');
  if ((context.scalar(2, 'training_mode') ?? 0) !== 0) {
    throw new Unsupported('training_mode; export the model in evaluation mode');
  }
  return { ...context.base([context.input(0)]), op: 'Identity' };
};

const floatTypes: ReadonlySet<OnnxDType | undefined> = new Set(['f32', 'f16', 'bf16', 'f64']);

/** Cast (6, 9, 13, 19, 21, 23, 24) of an activation to a float type, which here is float32. */
export const importCast: ImportOp = (context) => {
  context.attributes.ignore('saturate', 'round_mode');
  const to = context.attributes.int('to', 0);
  if (!floatTypes.has(dtypeOf(to))) {
    throw new Unsupported(`a cast of activations to ONNX type ${to}`);
  }
  return { ...context.base(), op: 'Identity' };
};
