// SPDX-License-Identifier: Apache-2.0
// What an operator means where its file says nothing (ONNX operator specification, "Attributes"): the graph
// without the attribute is the one with the default spelled out, and not the one with another value.
import { importOnnx } from '../../../src/onnx/float/import.js';
import type { OnnxAttribute } from '../../../src/onnx/file/model.js';
import { f32, float, int, ints, model, node, randomTensor, text } from '../build.js';

interface Row {
  readonly op: string;
  readonly attribute: string;
  readonly absent: OnnxAttribute;
  readonly other: OnnxAttribute;
  readonly opset?: number;
  readonly input?: number[];
  /** Attributes that the node needs besides. */
  readonly given?: Readonly<Record<string, OnnxAttribute>>;
}

const window = { kernel_shape: ints(3, 3) };
const rows: readonly Row[] = [
  { op: 'BatchNormalization', attribute: 'epsilon', absent: float(1e-5), other: float(1e-3) },
  { op: 'HardSigmoid', attribute: 'alpha', absent: float(Math.fround(0.2)), other: float(0.25) },
  { op: 'HardSigmoid', attribute: 'beta', absent: float(0.5), other: float(0.25) },
  { op: 'Softmax', attribute: 'axis', absent: int(-1), other: int(1) },
  {
    op: 'Softmax',
    attribute: 'axis',
    absent: int(1),
    other: int(2),
    opset: 12,
    input: [1, 3, 1, 1],
  },
  { op: 'Flatten', attribute: 'axis', absent: int(1), other: int(2) },
  { op: 'Gemm', attribute: 'alpha', absent: float(1), other: float(0.5) },
  { op: 'Gemm', attribute: 'beta', absent: float(1), other: float(0.5) },
  { op: 'Gemm', attribute: 'transB', absent: int(0), other: int(1) },
  { op: 'Conv', attribute: 'strides', absent: ints(1, 1), other: ints(2, 2) },
  { op: 'Conv', attribute: 'dilations', absent: ints(1, 1), other: ints(2, 2) },
  { op: 'Conv', attribute: 'pads', absent: ints(0, 0, 0, 0), other: ints(1, 1, 1, 1) },
  { op: 'Conv', attribute: 'auto_pad', absent: text('NOTSET'), other: text('SAME_UPPER') },
  { op: 'MaxPool', attribute: 'strides', absent: ints(1, 1), other: ints(2, 2), given: window },
  {
    op: 'AveragePool',
    attribute: 'pads',
    absent: ints(0, 0, 0, 0),
    other: ints(1, 1, 1, 1),
    given: window,
  },
  {
    op: 'AveragePool',
    attribute: 'count_include_pad',
    absent: int(0),
    other: int(1),
    given: { ...window, pads: ints(1, 1, 1, 1) },
  },
  {
    op: 'AveragePool',
    attribute: 'ceil_mode',
    absent: int(0),
    other: int(1),
    given: { ...window, strides: ints(2, 2) },
  },
  {
    op: 'ReduceMean',
    attribute: 'keepdims',
    absent: int(1),
    other: int(0),
    given: { axes: ints(2, 3) },
  },
  { op: 'Clip', attribute: 'min', absent: float(-Infinity), other: float(0), opset: 10 },
  { op: 'Clip', attribute: 'max', absent: float(Infinity), other: float(6), opset: 10 },
  { op: 'Transpose', attribute: 'perm', absent: ints(3, 2, 1, 0), other: ints(0, 1, 3, 2) },
];

/** Inputs besides `x`, and the shape of `x`. */
const inputsOf: Readonly<Record<string, readonly [string[], number[]]>> = {
  BatchNormalization: [
    ['scale', 'bias', 'mean', 'variance'],
    [1, 3, 8, 8],
  ],
  Conv: [['kernel'], [1, 3, 8, 8]],
  Gemm: [
    ['matrix', 'row'],
    [1, 3],
  ],
};
const weights = {
  scale: randomTensor([3], 1),
  bias: randomTensor([3], 2),
  mean: randomTensor([3], 3),
  variance: f32([3], [1, 2, 3]),
  kernel: randomTensor([4, 3, 3, 3], 4),
  matrix: randomTensor([3, 3], 5),
  row: randomTensor([3], 6),
};

function graphOf(
  { op, opset = 13, given = {}, ...row }: Row,
  attributes: Record<string, OnnxAttribute>,
) {
  const [names, input] = inputsOf[op] ?? [[], [1, 3, 8, 8]];
  const used = Object.fromEntries(Object.entries(weights).filter(([name]) => names.includes(name)));
  return importOnnx(
    model({
      opset,
      input: row.input ?? input,
      output: [],
      nodes: [node(op, ['x', ...names], 'y', { ...given, ...attributes })],
      weights: used,
    }),
  );
}

/** A graph, or how it is refused: another value may be one that is not supported. */
function outcome(row: Row, attributes: Record<string, OnnxAttribute>): unknown {
  try {
    return graphOf(row, attributes);
  } catch (error) {
    return (error as Error).message;
  }
}

test.each(rows)('$op.$attribute, opset $opset', (row) => {
  const { attribute, absent, other } = row;
  const plain = graphOf(row, {});
  expect(graphOf(row, { [attribute]: absent })).toEqual(plain);
  expect(outcome(row, { [attribute]: other })).not.toEqual(plain);
});

test('HardSwish has no attributes: x * max(0, min(1, x / 6 + 1 / 2))', () => {
  const { nodes } = graphOf({ op: 'HardSwish', opset: 14 } as Row, {});
  expect(nodes[0]).toMatchObject({ op: 'HardSwish', alpha: 1 / 6, beta: 0.5 });
});

test('Relu is open above', () => {
  const { nodes } = graphOf({ op: 'Relu' } as Row, {});
  expect(nodes[0]).toMatchObject({
    op: 'Clamp',
    clamp: { lo: Float32Array.of(0), hi: Float32Array.of(Infinity) },
  });
});
