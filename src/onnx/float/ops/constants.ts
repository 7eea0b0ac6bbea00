// SPDX-License-Identifier: Apache-2.0
// Operators that exporters use to compute shapes: they have no place in a graph, and on constants
// they are computed here. A shape is a constant too, since every size is known.
import type { Tensor } from '../../../graph/graph.js';
import {
  arrayFor,
  combine,
  elementCount,
  mapTensor,
  broadcastShape,
  broadcastTo,
  reshapeTensor,
  s64Tensor,
  stridesOf,
  transposeTensor,
} from '../../../graph/tensors.js';
import { dtypeOf } from '../../file/dtypes.js';
import { type Evaluate, graphDType, toTensor } from '../context.js';
import { Unsupported } from '../problems.js';
import { resolveShape, squeezed, unsqueezed } from './shaping.js';

function need(tensor: Tensor | undefined): Tensor {
  if (tensor === undefined) throw new Unsupported('a missing input');
  return tensor;
}

/** Integers stay integers: division truncates, as ONNX has it. */
function arithmetic(f: (x: number, y: number) => number): Evaluate {
  return ([a, b]) => {
    const [left, right] = [need(a), need(b)];
    const whole = left.dtype !== 'f32' && left.dtype !== 'f64';
    const result = combine(left, right, (x, y) => (whole ? Math.trunc(f(x, y)) : f(x, y)));
    if (result === undefined) throw new Unsupported('shapes that do not fit');
    return result;
  };
}

function comparison(f: (x: number, y: number) => boolean): Evaluate {
  return ([a, b]) => {
    const result = combine(need(a), need(b), (x, y) => (f(x, y) ? 1 : 0));
    if (result === undefined) throw new Unsupported('shapes that do not fit');
    return { ...result, dtype: 'bool', data: Uint8Array.from(result.data) };
  };
}

const constant: Evaluate = (_, attributes) => {
  const tensor = attributes.tensor('value');
  if (tensor !== undefined) return toTensor(tensor);
  const floats = attributes.floats('value_floats');
  if (floats !== undefined) {
    return { dtype: 'f32', shape: [floats.length], data: Float32Array.from(floats) };
  }
  const ints = attributes.ints('value_ints');
  if (ints !== undefined) return s64Tensor(ints);
  if (attributes.has('value_float')) {
    return { dtype: 'f32', shape: [], data: Float32Array.of(attributes.float('value_float', 0)) };
  }
  if (attributes.has('value_int')) {
    return { dtype: 's64', shape: [], data: Float64Array.of(attributes.int('value_int', 0)) };
  }
  throw new Unsupported('a constant that is no tensor of numbers');
};

const constantOfShape: Evaluate = ([shape], attributes) => {
  const sizes = Array.from(need(shape).data);
  const stated = attributes.tensor('value');
  const value: Tensor =
    stated === undefined
      ? { dtype: 'f32', shape: [1], data: new Float32Array(1) }
      : toTensor(stated);
  if (elementCount(sizes) > 2 ** 26) throw new Unsupported(`a constant of [${sizes.join()}]`);
  return broadcastTo({ ...value, shape: sizes.map(() => 1) }, sizes);
};

const cast: Evaluate = ([x], attributes) => {
  attributes.ignore('saturate');
  const to = dtypeOf(attributes.int('to', 0));
  if (to === undefined) throw new Unsupported('a cast to this type');
  const from = need(x);
  const dtype = graphDType(to);
  const data = new (arrayFor(dtype))(from.data.length);
  const toFloat = dtype === 'f32' || dtype === 'f64';
  from.data.forEach((value, i) => {
    data[i] = dtype === 'bool' ? Number(value !== 0) : toFloat ? value : Math.trunc(value);
  });
  return { dtype, shape: from.shape, data };
};

const gather: Evaluate = ([data, indices], attributes, context) => {
  const [from, at] = [need(data), need(indices)];
  const axis = context.axis(attributes.int('axis', 0), from.shape.length);
  const size = from.shape[axis]!;
  const inner = elementCount(from.shape.slice(axis + 1));
  const shape = [...from.shape.slice(0, axis), ...at.shape, ...from.shape.slice(axis + 1)];
  const result = new (arrayFor(from.dtype))(elementCount(shape));
  let next = 0;
  for (let outer = 0; outer < elementCount(from.shape.slice(0, axis)); outer++) {
    for (const stated of at.data) {
      const index = stated < 0 ? stated + size : stated;
      if (!(index >= 0 && index < size)) throw new Unsupported(`index ${stated} of ${size}`);
      for (let i = 0; i < inner; i++) {
        result[next++] = from.data[(outer * size + index) * inner + i]!;
      }
    }
  }
  return { dtype: from.dtype, shape, data: result };
};

/** Slice: bounds as attributes (1) or as inputs (10, 11, 13). */
const slice: Evaluate = ([data, start, end, axis, step], attributes, context) => {
  const from = need(data);
  const list = (tensor: Tensor | undefined) => (tensor ? Array.from(tensor.data) : undefined);
  const starts = attributes.ints('starts') ?? list(need(start));
  const ends = attributes.ints('ends') ?? list(need(end));
  const axes = attributes.ints('axes') ?? list(axis) ?? starts?.map((_, i) => i) ?? [];
  const steps = list(step) ?? [];
  let result = from;
  axes.forEach((stated, i) => {
    const along = context.axis(stated, from.shape.length);
    const picked = sliceIndices(from.shape[along]!, starts![i]!, ends![i]!, steps[i] ?? 1);
    result = take(result, along, picked);
  });
  return result;
};

function sliceIndices(size: number, start: number, end: number, step: number): number[] {
  if (step === 0) throw new Unsupported('a slice with step 0');
  const from = start < 0 ? start + size : start;
  const to = end < 0 ? end + size : end;
  const picked: number[] = [];
  if (step > 0) {
    for (let i = Math.max(from, 0); i < Math.min(to, size); i += step) picked.push(i);
  } else {
    for (let i = Math.min(from, size - 1); i > Math.max(to, -1); i += step) picked.push(i);
  }
  return picked;
}

function take(tensor: Tensor, axis: number, picked: readonly number[]): Tensor {
  const shape = tensor.shape.map((size, i) => (i === axis ? picked.length : size));
  const [own, out] = [stridesOf(tensor.shape), stridesOf(shape)];
  const data = new (arrayFor(tensor.dtype))(elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    let [rest, from] = [i, 0];
    shape.forEach((_, along) => {
      const at = Math.floor(rest / out[along]!);
      rest -= at * out[along]!;
      from += (along === axis ? picked[at]! : at) * own[along]!;
    });
    data[i] = tensor.data[from]!;
  }
  return { dtype: tensor.dtype, shape, data };
}

const concat: Evaluate = (inputs, attributes, context) => {
  const tensors = inputs.map(need);
  const [first] = tensors;
  const axis = context.axis(attributes.int('axis', 0), need(first).shape.length);
  const outer = elementCount(first!.shape.slice(0, axis));
  const shape = first!.shape.map((size, i) =>
    i === axis ? tensors.reduce((sum, tensor) => sum + tensor.shape[axis]!, 0) : size,
  );
  const data = new (arrayFor(first!.dtype))(elementCount(shape));
  let next = 0;
  for (let o = 0; o < outer; o++) {
    for (const tensor of tensors) {
      const block = tensor.data.length / outer;
      for (let i = 0; i < block; i++) data[next++] = tensor.data[o * block + i]!;
    }
  }
  return { dtype: first!.dtype, shape, data };
};

const range: Evaluate = ([start, limit, delta]) => {
  const [from, to, by] = [need(start).data[0]!, need(limit).data[0]!, need(delta).data[0]!];
  const count = Math.max(0, Math.ceil((to - from) / by));
  if (!(count < 2 ** 26)) throw new Unsupported(`a range of ${count} values`);
  const data = new (arrayFor(need(start).dtype))(count);
  for (let i = 0; i < count; i++) data[i] = from + i * by;
  return { dtype: need(start).dtype, shape: [count], data };
};

const where: Evaluate = ([condition, a, b]) => {
  const [c, x, y] = [need(condition), need(a), need(b)];
  const pair = broadcastShape(x.shape, y.shape);
  const shape = pair && broadcastShape(pair, c.shape);
  if (shape === undefined) throw new Unsupported('shapes that do not fit');
  const [left, right] = [broadcastTo(x, shape), broadcastTo(y, shape)];
  const data = new (arrayFor(x.dtype))(left.data.length);
  broadcastTo(c, shape).data.forEach((chosen, i) => {
    data[i] = chosen === 0 ? right.data[i]! : left.data[i]!;
  });
  return { dtype: x.dtype, shape, data };
};

const reduceProd: Evaluate = ([x], attributes) => {
  attributes.ignore('axes', 'noop_with_empty_axes');
  const from = need(x);
  if (from.shape.length > 1) throw new Unsupported(`rank ${from.shape.length}`);
  let product = 1;
  for (const value of from.data) product *= value;
  const data = new (arrayFor(from.dtype))(1);
  data[0] = product;
  return { dtype: from.dtype, shape: attributes.flag('keepdims', true) ? [1] : [], data };
};

/** Evaluators by operator name; all inputs are constant when one is called. */
export const evaluators: ReadonlyMap<string, Evaluate> = new Map<string, Evaluate>([
  ['Constant', constant],
  ['ConstantOfShape', constantOfShape],
  ['Cast', cast],
  ['Gather', gather],
  ['Slice', slice],
  ['Concat', concat],
  ['Range', range],
  ['Where', where],
  ['ReduceProd', reduceProd],
  ['Identity', ([x]) => need(x)],
  ['Add', arithmetic((x, y) => x + y)],
  ['Sub', arithmetic((x, y) => x - y)],
  ['Mul', arithmetic((x, y) => x * y)],
  ['Div', arithmetic((x, y) => x / y)],
  ['Min', arithmetic(Math.min)],
  ['Max', arithmetic(Math.max)],
  ['Equal', comparison((x, y) => x === y)],
  ['Greater', comparison((x, y) => x > y)],
  ['Less', comparison((x, y) => x < y)],
  ['Not', ([x]) => mapTensor(need(x), (value) => 1 - value)],
  ['Neg', ([x]) => mapTensor(need(x), (value) => -value)],
  ['Sqrt', ([x]) => mapTensor(need(x), Math.sqrt)],
  ['Reciprocal', ([x]) => mapTensor(need(x), (value) => 1 / value)],
  ['Floor', ([x]) => mapTensor(need(x), Math.floor)],
  ['Ceil', ([x]) => mapTensor(need(x), Math.ceil)],
  [
    'Reshape',
    ([x, shape], attributes) => {
      const wanted = Array.from(need(shape).data);
      const zero = attributes.flag('allowzero', false);
      return reshapeTensor(need(x), resolveShape(need(x).shape, wanted, zero));
    },
  ],
  [
    'Squeeze',
    ([x, axes], attributes, context) => {
      const stated = attributes.ints('axes') ?? (axes && Array.from(axes.data));
      return reshapeTensor(need(x), squeezed(context, need(x).shape, stated));
    },
  ],
  [
    'Unsqueeze',
    ([x, axes], attributes, context) => {
      const stated = attributes.ints('axes') ?? Array.from(need(axes).data);
      return reshapeTensor(need(x), unsqueezed(context, need(x).shape, stated));
    },
  ],
  [
    'Transpose',
    ([x], attributes) => {
      const reversed = [...need(x).shape.keys()].reverse();
      return transposeTensor(need(x), attributes.ints('perm') ?? reversed);
    },
  ],
  [
    'Expand',
    ([x, shape]) => {
      const to = broadcastShape(need(x).shape, Array.from(need(shape).data));
      if (to === undefined || elementCount(to) > 2 ** 26) throw new Unsupported('this shape');
      return broadcastTo(need(x), to);
    },
  ],
]);
