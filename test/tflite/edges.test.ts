// SPDX-License-Identifier: Apache-2.0
// What a file may leave out, and what it states wrongly: each case is one that no converter writes every
// day, so that only a test by itself meets it.
import { ModelError } from '../../src/errors.js';
import type { QuantGraph } from '../../src/graph/quant-graph.js';
import { FlatFile } from '../../src/tflite/flat-table.js';
import { importTflite } from '../../src/tflite/import.js';
import { type FileSpec, type OperatorSpec, type TensorSpec, writeTflite } from './flat-writer.js';

const [S8, S16, S32] = [9, 7, 2] as const;
const [add, averagePool, concatenation, conv2d, fullyConnected] = [0, 1, 2, 3, 9] as const;
const [mean, transpose, split] = [40, 39, 49] as const;

const codes = (name: string, shape: number[], type: number = S8): TensorSpec => ({
  name,
  type,
  shape,
  scales: [0.5],
  zeroPoints: [0],
});

const constant = (name: string, shape: number[], type: number = S8): TensorSpec => {
  const bytes = shape.reduce((a, b) => a * b, 1) * (type === S16 ? 2 : 1);
  return {
    ...codes(name, shape, type),
    data: Uint8Array.from({ length: bytes }, (_, i) => i),
  };
};

const integers = (name: string, shape: number[], ...list: number[]): TensorSpec => ({
  name,
  type: S32,
  shape,
  data: new Uint8Array(Int32Array.from(list).buffer),
});

/** One operator; the first tensor is the input, the last the output. */
function only(operator: Omit<OperatorSpec, 'outputs'>, ...tensors: TensorSpec[]): FileSpec {
  const output = tensors.length - 1;
  const operators = [{ ...operator, outputs: [output] }];
  return { tensors, operators, inputs: [0], outputs: [output] };
}

const load = (spec: FileSpec): QuantGraph => importTflite(writeTflite(spec));

function refusal(spec: FileSpec): string {
  try {
    load(spec);
  } catch (error) {
    if (error instanceof ModelError) return error.message;
    throw error;
  }
  throw new Error('expected a ModelError');
}

const step = { 1: { i32: 1 }, 2: { i32: 1 } };
const image = codes('x', [1, 2, 2, 2]);
const pointwise = only(
  { code: conv2d, inputs: [0, 1], options: step },
  image,
  constant('w', [3, 1, 1, 2]),
  codes('y', [1, 2, 2, 3]),
);

describe('the format', () => {
  test('old files name operators by one byte', () => {
    expect(load({ ...pointwise, oldCodes: true })).toEqual(load(pointwise));
  });

  test('data behind the FlatBuffer are the tensor', () => {
    const [x, w, y] = pointwise.tensors as [TensorSpec, TensorSpec, TensorSpec];
    const { data, ...bare } = w;
    const at = (offset: number): FileSpec => ({
      ...pointwise,
      tensors: [x, { ...bare, behind: { offset, size: data!.length } }, y],
    });
    const { length } = writeTflite(at(1000));
    const bytes = new Uint8Array([...writeTflite(at(length)), ...data!]);
    expect(importTflite(bytes)).toEqual(load(pointwise));
    expect(refusal(at(length))).toMatch(/bad-tflite.*a buffer lies outside/);
  });

  test('eight bytes are a TFLite file, if a damaged one', () => {
    const bytes = new Uint8Array([255, 0, 0, 0, ...Buffer.from('TFL3')]);
    expect(() => importTflite(bytes)).toThrow(/bad-tflite/);
    expect(() => importTflite(bytes.subarray(0, 7))).toThrow(/not-tflite/);
  });

  test('the last byte of a file is a field like another', () => {
    // Root at 12; its vtable at 4 has six bytes: its own size, the table's, and field 0 at 4.
    const bytes = Uint8Array.of(12, 0, 0, 0, 6, 0, 5, 0, 4, 0, 0, 0, 8, 0, 0, 0, 200);
    const root = new FlatFile(bytes, 'model').root();
    expect([root.uint8(0), root.int8(0), root.bool(0)]).toEqual([200, -56, true]);
    const cut = new FlatFile(bytes.subarray(0, 16), 'model').root();
    for (const read of [() => cut.uint8(0), () => cut.int8(0), () => cut.bool(0)])
      expect(read).toThrow(/field 0 lies outside/);
  });

  test.each([
    ['negative sizes', [1, -2, -2, 2]],
    ['nine dimensions', [1, 1, 1, 1, 1, 1, 1, 1, 2]],
    ['more elements than a file may have', [1, 2 ** 20, 2 ** 20, 2]],
  ])('%s are no shape', (_, shape) => {
    const [, ...others] = pointwise.tensors;
    const spec = { ...pointwise, tensors: [codes('x', shape), ...others] };
    expect(refusal(spec)).toMatch(/bad-tflite.*tensor "x" has shape/);
  });

  test('an output is no optional tensor', () => {
    const spec = {
      ...pointwise,
      operators: [{ ...pointwise.operators[0]!, outputs: [-1] }],
    };
    expect(refusal(spec)).toMatch(/tensor index -1 is outside 0 to 2/);
  });

  test('no zero point is 0', () => {
    const [, w, y] = pointwise.tensors as [TensorSpec, TensorSpec, TensorSpec];
    const spec = {
      ...pointwise,
      tensors: [{ ...image, zeroPoints: [] }, w, y],
    };
    expect(load(spec)).toEqual(load(pointwise));
  });
});

describe('operands that are not there', () => {
  test('an absent activation', () => {
    const [operator] = pointwise.operators as [OperatorSpec];
    const spec = {
      ...pointwise,
      operators: [{ ...operator, inputs: [-1, 1] }],
    };
    expect(refusal(spec)).toMatch(/bad-operator.*expected an input 0, got none/);
  });

  test('a convolution without weights', () => {
    for (const inputs of [[0], [0, -1]]) {
      const spec = {
        ...pointwise,
        operators: [{ ...pointwise.operators[0]!, inputs }],
      };
      expect(refusal(spec)).toMatch(/unsupported-constant.*input 1, got none/);
    }
  });

  test('a matrix of activations, and one whose bias does not fit', () => {
    const [x, y] = [codes('x', [1, 4]), codes('y', [1, 4])];
    const [filter, bias] = [constant('w', [4, 4]), integers('b', [3], 1, 2, 3)];
    const whole = { code: fullyConnected, inputs: [0, 1] };
    const variable = codes('w', [4, 4]);
    expect(refusal(only(whole, x, variable, y))).toMatch(/unsupported-constant.*got "w"/);
    expect(refusal(only({ ...whole, inputs: [0, 1, 2] }, x, filter, bias, y))).toMatch(
      /unsupported-bias.*expected 4 bias values/,
    );
    expect(load(only(whole, x, filter, y)).nodes).toHaveLength(1);
  });

  test('a mean over axes that are computed, and one without a scale', () => {
    const x = codes('x', [1, 2, 2, 3]);
    const operator = { code: mean, inputs: [0, 1] };
    const bare: TensorSpec = { name: 'y', type: S8, shape: [1, 3] };
    expect(refusal(only(operator, x, codes('axes', [2]), codes('y', [1, 3])))).toMatch(
      /unsupported-constant.*got "axes"/,
    );
    expect(refusal(only(operator, x, integers('axes', [2], 1, 2), bare))).toMatch(
      /tensor "y" has no scale/,
    );
  });
});

describe('shapes that do not lead from one to the other', () => {
  test('a filter for more channels than there are', () => {
    const [x, , y] = pointwise.tensors as [TensorSpec, TensorSpec, TensorSpec];
    const wide = constant('w', [3, 1, 1, 4]);
    expect(refusal({ ...pointwise, tensors: [x, wide, y] })).toMatch(/\[3, 1, 1, 4\]/);
  });

  test('a matrix for rows of another length', () => {
    const operator = { code: fullyConnected, inputs: [0, 1] };
    const short = constant('w', [4, 3]);
    expect(refusal(only(operator, codes('x', [1, 4]), short, codes('y', [1, 4])))).toMatch(
      /\[4, 3\]/,
    );
  });

  test('a split that would lose rows', () => {
    const tensors = [integers('axis', [], 3), image, codes('a', [1, 1, 2, 1]), image];
    const spec: FileSpec = {
      tensors: tensors.map((tensor, i) => (i === 3 ? { ...codes('b', [1, 1, 2, 1]) } : tensor)),
      operators: [
        {
          code: split,
          inputs: [0, 1],
          outputs: [2, 3],
          options: { 0: { i32: 2 } },
        },
      ],
      inputs: [1],
      outputs: [2, 3],
    };
    expect(refusal(spec)).toMatch(/unsupported-shape.*expected channels/);
  });

  test('a transpose that moves elements, and one that moves only sizes of 1', () => {
    const turned = (from: number[], to: number[]) => [
      codes('x', from),
      codes('y', from),
      integers('order', [4], 0, 2, 1, 3),
      codes('z', to),
    ];
    const spec = (tensors: TensorSpec[]): FileSpec => ({
      tensors,
      operators: [
        { code: 19, inputs: [0], outputs: [1] },
        { code: transpose, inputs: [1, 2], outputs: [3] },
      ],
      inputs: [0],
      outputs: [3],
    });
    expect(load(spec(turned([1, 1, 1, 3], [1, 1, 1, 3]))).nodes.at(-1)).toMatchObject({
      op: 'Reshape',
    });
    expect(refusal(spec(turned([1, 2, 2, 3], [1, 2, 2, 3])))).toMatch(/unsupported-shape.*0, 2, 1/);
  });
});

describe('options', () => {
  test('a pool without any has no window', () => {
    const spec = only({ code: averagePool, inputs: [0] }, image, codes('y', [1, 2, 2, 2]));
    expect(refusal(spec)).toMatch(/bad-window.*0, 0, 0, 0/);
  });

  test('rows join along the last axis, not along the batch', () => {
    const rows = [codes('x', [1, 2]), codes('y', [1, 4])];
    const joined = (options: OperatorSpec['options']) =>
      only(
        {
          code: concatenation,
          inputs: [0, 0],
          ...(options ? { options } : {}),
        },
        ...rows,
      );
    expect(load(joined({ 0: { i32: 1 } })).nodes).toHaveLength(1);
    expect(refusal(joined(undefined))).toMatch(/got axis 0/);
  });

  test('a sum is clamped by its activation', () => {
    const relu6 = { 0: { i8: 3 } };
    const spec = only(
      { code: add, inputs: [0, 0], options: relu6 },
      image,
      codes('y', [1, 2, 2, 2]),
    );
    expect(load(spec).nodes[0]).toMatchObject({
      name: 'y',
      clamp: { lo: Float32Array.of(0), hi: Float32Array.of(6) },
    });
  });

  test('constants of 16 bits take two bytes each', () => {
    const wide = codes('x', [1, 1, 1, 2], S16);
    const operator = { code: add, inputs: [0, 1], options: { 1: { i8: 0 } } };
    const sum = load(only(operator, wide, constant('k', [2], S16), codes('y', [1, 1, 1, 2], S16)));
    // Bytes 0, 1 and 2, 3.
    expect(sum.nodes[0]).toMatchObject({ bias: Int32Array.of(0x100, 0x302) });
  });

  test('windows that are not square, and rates that differ, lead to the right shapes', () => {
    const pool = only(
      {
        code: averagePool,
        inputs: [0],
        options: { 0: { i8: 1 }, ...step, 3: { i32: 2 }, 4: { i32: 3 } },
      },
      codes('x', [1, 5, 7, 2]),
      codes('y', []),
    );
    expect(load(pool).values.get('y')!.shape).toEqual([1, 2, 3, 6]);
    const depthwise = only(
      {
        code: 4,
        inputs: [0, 1],
        options: {
          0: { i8: 1 },
          ...step,
          3: { i32: 1 },
          5: { i32: 3 },
          6: { i32: 1 },
        },
      },
      codes('x', [1, 5, 7, 2]),
      constant('w', [1, 2, 2, 2]),
      codes('y', []),
    );
    expect(load(depthwise).values.get('y')!.shape).toEqual([1, 2, 4, 4]);
  });
});

describe('ARG_MAX', () => {
  const argMax = 56;
  const scores = codes('scores', [1, 4]);
  const chosen: TensorSpec = { name: 'class', type: S32, shape: [1] };

  test('at the end is left out, and noted: the scores are the output', () => {
    const spec = {
      tensors: [
        codes('x', [1, 2, 2, 4]),
        integers('axes', [2], 1, 2),
        scores,
        integers('axis', [1], 1),
        chosen,
      ],
      operators: [
        { code: mean, inputs: [0, 1], outputs: [2] },
        { code: argMax, inputs: [2, 3], outputs: [4] },
      ],
      inputs: [0],
      outputs: [4],
    };
    const graph = load(spec);
    expect(graph.outputs).toEqual(['scores']);
    expect(graph.notes).toEqual([
      'operator ARG_MAX "class" is left out: the output is the scores "scores"',
    ]);
  });

  test('before the end is refused', () => {
    const tensors = [scores, integers('axis', [1], 1), chosen, codes('y', [1, 4])];
    const operators = [
      { code: argMax, inputs: [0, 1], outputs: [2] },
      { code: add, inputs: [0, 0], outputs: [3] },
    ];
    const spec = { tensors, operators, inputs: [0], outputs: [3] };
    expect(refusal(spec)).toMatch(/ARG_MAX "class": expected it at the end of the network/);
  });
});
