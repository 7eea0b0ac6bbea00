// SPDX-License-Identifier: Apache-2.0
// Operators that take a part of an activation: channels by 1 x 1 convolutions, as the quantized
// importers read them, rows and columns by depthwise ones.
import type { Node, Shape } from '../../../graph/graph.js';
import { selectChannels, selectPositions, type Stride } from '../../../graph/select-channels.js';
import type { ImportOp, NodeContext } from '../context.js';
import { Unsupported } from '../problems.js';

/** Takes positions along one axis into a value; `name` is that of the node. */
function select(
  context: NodeContext,
  output: string,
  name: string,
  axis: number,
  picked: readonly number[],
): Node[] {
  const shape = context.shape(0);
  requireOneImage(axis, shape);
  return selectChannels({
    ...{ name, output, axis, picked, shape },
    input: context.input(0),
    addConstant: (wanted, tensor) => context.addConstant(wanted, tensor),
    fresh: (wanted) => context.fresh(wanted),
  });
}

function requireOneImage(axis: number, shape: Shape): void {
  if (axis === 0 || shape.length < 2 || shape[0] !== 1)
    throw new Unsupported(`a part along axis ${axis} of [${shape.join()}]`);
}

/** Split (2, 11, 13, 18): sizes as an attribute or an input, else equal parts, the last one smaller. */
export const importSplit: ImportOp = (context) => {
  const { attributes, node } = context;
  const shape = context.shape(0);
  const axis = context.axis(attributes.int('axis', 0), shape.length);
  const parts = attributes.int('num_outputs', node.outputs.length);
  const size = shape[axis]!;
  const each = Math.ceil(size / parts);
  const sizes =
    attributes.ints('split') ??
    context.integers(1, 'split sizes') ??
    Array.from({ length: parts }, (_, i) => Math.min(each, size - i * each));
  const total = sizes.reduce((a, b) => a + b, 0);
  if (sizes.length !== node.outputs.length || sizes.some((one) => one < 1) || total !== size) {
    throw new Unsupported(`sizes ${sizes.join()} of ${size} for ${node.outputs.length} outputs`);
  }
  let first = 0;
  return sizes.flatMap((count, i) => {
    const from = first;
    first += count;
    const output = node.outputs[i]!;
    // An output that nobody wants has no name.
    if (output === '') return [];
    const name = node.outputs.length === 1 ? context.name : context.fresh(`${context.name}/${i}`);
    const picked = Array.from({ length: count }, (_, k) => from + k);
    return select(context, output, name, axis, picked);
  });
};

/** Slice (1, 10, 11, 13): bounds as attributes or inputs; any step along channels, steps above 0 along rows and columns. */
export const importSlice: ImportOp = (context) => {
  const shape = context.shape(0);
  const taken = slicesOf(context, shape);
  const cut = taken.flatMap((one, axis) => (isWhole(one, shape[axis]!) ? [] : [axis]));
  if (cut.length === 0) return { ...context.base([context.input(0)]), op: 'Identity' };
  const spatial = cut.every((axis) => axis > 1) && shape.length === 4 && shape[0] === 1;
  const [, , rows, columns] = taken;
  if (spatial && !looksNhwc(shape) && rows!.step > 0 && columns!.step > 0) {
    return selectPositions(
      {
        ...{ name: context.name, input: context.input(0), output: context.output, shape },
        addConstant: (wanted, tensor) => context.addConstant(wanted, tensor),
      },
      rows!,
      columns!,
    );
  }
  const [axis] = cut;
  if (cut.length > 1) throw new Unsupported(`a slice along axes ${cut.join()}`);
  const { start, step, count } = taken[axis!]!;
  const picked = Array.from({ length: count }, (_, k) => start + k * step);
  return select(context, context.output, context.name, axis!, picked);
};

/** The last axis of an image in TensorFlow's layout is that of its channels. */
function looksNhwc([, first = 1, second = 1, last = 1]: Shape): boolean {
  return last <= 4 && first > 4 && second > 4;
}

function isWhole({ start, step, count }: Stride, size: number): boolean {
  return start === 0 && step === 1 && count === size;
}

function slicesOf(context: NodeContext, shape: Shape): Stride[] {
  const { attributes } = context;
  const starts = attributes.ints('starts') ?? context.integers(1, 'starts');
  const ends = attributes.ints('ends') ?? context.integers(2, 'ends');
  const axes = attributes.ints('axes') ?? context.integers(3, 'axes') ?? starts?.map((_, i) => i);
  const steps = context.integers(4, 'steps') ?? starts?.map(() => 1);
  if (starts === undefined || ends?.length !== starts.length || axes?.length !== starts.length) {
    throw new Unsupported('bounds that do not fit the axes');
  }
  const taken = shape.map((count): Stride => ({ start: 0, step: 1, count }));
  axes.forEach((stated, i) => {
    const axis = context.axis(stated, shape.length);
    taken[axis] = sliced(shape[axis]!, starts[i]!, ends[i]!, steps![i] ?? 1);
  });
  return taken;
}

/** Bounds below 0 count from the end, and none reach beyond either end. */
function sliced(size: number, start: number, end: number, step: number): Stride {
  if (step === 0) throw new Unsupported('a slice with step 0');
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const bound = (at: number): number => Math.min(Math.max(at < 0 ? at + size : at, low), high);
  const [from, to] = [bound(start), bound(end)];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (count === 0) throw new Unsupported('a slice of nothing');
  return { start: from, step, count };
}

/** Gather (1, 11, 13) with constant indices. */
export const importGather: ImportOp = (context) => {
  const shape = context.shape(0);
  const axis = context.axis(context.attributes.int('axis', 0), shape.length);
  const indices = context.constant(1);
  if (indices === undefined) throw new Unsupported('indices that are computed at run time');
  if (indices.shape.length > 1) throw new Unsupported(`indices [${indices.shape.join()}]`);
  const size = shape[axis]!;
  const picked = Array.from(indices.data, (at) => (at < 0 ? at + size : at));
  const out = picked.find((at) => !(at >= 0 && at < size));
  if (out !== undefined) throw new Unsupported(`index ${out} of ${size}`);
  if (indices.shape.length === 1)
    return select(context, context.output, context.name, axis, picked);
  const kept = context.fresh(`${context.name}/kept`);
  const without = shape.filter((_, own) => own !== axis);
  return [
    ...select(context, kept, context.name, axis, picked),
    {
      op: 'Reshape',
      name: context.fresh(`${context.name}/reshape`),
      inputs: [kept],
      outputs: [context.output],
      shape: without,
    },
  ];
};
