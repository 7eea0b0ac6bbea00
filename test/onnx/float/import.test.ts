// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../../src/errors.js';
import type { OnnxModel } from '../../../src/onnx/file/model.js';
import { importOnnx, unsupportedNodes } from '../../../src/onnx/float/import.js';
import { canonicalize } from '../../../src/passes/index.js';
import { disagreement } from '../agree.js';
import { f32, float, int, ints, model, node, randomTensor, s64, text } from '../build.js';

const conv = (attributes = {}) => node('Conv', ['x', 'w'], 'c', attributes);
const w = randomTensor([4, 3, 3, 3], 1);

/** Each runs as it is and as imported; both agree to float32 rounding. */
const agreeing: Record<string, OnnxModel> = {
  'opset 7: Conv SAME_UPPER, BatchNormalization, Clip and Gemm with attributes, IR 3': model({
    opset: 7,
    irVersion: 3,
    weightsAsInputs: true,
    output: [1, 5],
    nodes: [
      conv({ auto_pad: text('SAME_UPPER'), strides: ints(2, 2) }),
      node('BatchNormalization', ['c', 's', 'b', 'm', 'v'], 'n', { epsilon: float(1e-3) }),
      node('Clip', ['n'], 'k', { min: float(0), max: float(1.5) }),
      node('Dropout', ['k'], 'd', { ratio: float(0.3) }),
      node('AveragePool', ['d'], 'p', { kernel_shape: ints(2, 2), strides: ints(2, 2) }),
      node('Flatten', ['p'], 'f'),
      node('Gemm', ['f', 'gw', 'gb'], 'y', { alpha: float(0.5), beta: float(2), transB: int(1) }),
    ],
    weights: {
      w,
      s: randomTensor([4], 2),
      b: randomTensor([4], 3),
      m: randomTensor([4], 4),
      v: f32([4], [0.5, 1, 2, 0]),
      gw: randomTensor([5, 16], 5),
      gb: randomTensor([5], 6),
    },
  }),
  'opset 9: SAME_LOWER, group 3, Pad and Squeeze and Unsqueeze with attributes, Softmax': model({
    opset: 9,
    input: [1, 3, 7, 9],
    output: [1, 6],
    nodes: [
      node('Pad', ['x'], 'q', { pads: ints(0, 0, 1, 0, 0, 0, 0, 2) }),
      node('Conv', ['q', 'w'], 'c', {
        auto_pad: text('SAME_LOWER'),
        strides: ints(2, 3),
        group: int(3),
      }),
      node('GlobalAveragePool', ['c'], 'g'),
      node('Squeeze', ['g'], 's', { axes: ints(2, 3) }),
      node('Unsqueeze', ['s'], 'u', { axes: ints(2) }),
      node('Squeeze', ['u'], 't', { axes: ints(2) }),
      node('Softmax', ['t'], 'y', { axis: int(1) }),
    ],
    weights: { w: randomTensor([6, 1, 4, 2], 1) },
  }),
  'opset 11: Clip with inputs, MaxPool ceil_mode, Pad with inputs, ReduceMean with axes': model({
    opset: 11,
    output: [1, 4],
    nodes: [
      conv({ pads: ints(1, 1, 1, 1), dilations: ints(2, 2), kernel_shape: ints(3, 3) }),
      node('Clip', ['c', '', 'six'], 'k'),
      node('MaxPool', ['k'], 'p', {
        kernel_shape: ints(3, 3),
        strides: ints(2, 2),
        ceil_mode: int(1),
      }),
      node('Pad', ['p', 'pads', 'zero'], 'q'),
      node('AveragePool', ['q'], 'a', { kernel_shape: ints(2, 2), count_include_pad: int(1) }),
      node('ReduceMean', ['a'], 'y', { axes: ints(-1, -2), keepdims: int(0) }),
    ],
    weights: { w, six: f32([], [0.75]), pads: s64([0, 0, 1, 1, 0, 0, 0, 1]), zero: f32([], [0]) },
  }),
  'opset 18: ReduceMean and Pad with axes as inputs; HardSwish': model({
    opset: 18,
    output: [1, 4, 1, 1],
    nodes: [
      node('Pad', ['x', 'pads', '', 'axes'], 'q'),
      node('Conv', ['q', 'w'], 'c', { kernel_shape: ints(3, 3) }),
      node('HardSwish', ['c'], 'h'),
      node('ReduceMean', ['h', 'axes'], 'y'),
    ],
    weights: { w, pads: s64([1, 2, 0, 1]), axes: s64([2, 3]) },
  }),
  'ceil_mode average that does not count padding': model({
    opset: 13,
    input: [1, 2, 6, 5],
    output: [1, 2, 3, 2],
    nodes: [
      node('AveragePool', ['x'], 'y', {
        kernel_shape: ints(3, 3),
        strides: ints(2, 3),
        ceil_mode: int(1),
        pads: ints(0, 1, 0, 0),
      }),
    ],
  }),
  'dynamic batch: a flatten spelled with Shape, Gather, Unsqueeze, Concat': model({
    opset: 12,
    input: ['N', 3, 8, 8],
    output: ['N', 2],
    nodes: [
      conv({ pads: ints(1, 1, 1, 1) }),
      node('GlobalAveragePool', ['c'], 'g'),
      node('Shape', ['g'], 'shape'),
      node('Constant', [], 'zero', {
        value: { type: 'tensor', value: { name: '', ...s64([0], []) } },
      }),
      node('Gather', ['shape', 'zero'], 'batch', { axis: int(0) }),
      node('Unsqueeze', ['batch'], 'one', { axes: ints(0) }),
      node('Concat', ['one', 'rest'], 'to', { axis: int(0) }),
      node('Reshape', ['g', 'to'], 'f'),
      node('MatMul', ['f', 'mw'], 'm'),
      node('Add', ['mb', 'm'], 'y'),
    ],
    weights: { w, rest: s64([-1]), mw: randomTensor([4, 2], 8), mb: randomTensor([2], 9) },
  }),
  'Slice, Cast, ConstantOfShape, Range, Where on constants': model({
    opset: 13,
    output: [1, 4, 6, 6],
    nodes: [
      conv(),
      node('Shape', ['c'], 's'),
      node('Slice', ['s', 'one', 'two'], 'channels'),
      node('ConstantOfShape', ['channels'], 'fill', {
        value: { type: 'tensor', value: { name: '', ...f32([1], [0.25]) } },
      }),
      node('Range', ['zero', 'four', 'unit'], 'r'),
      node('Cast', ['r'], 'rf', { to: int(1) }),
      node('Less', ['r', 'limit'], 'few'),
      node('Where', ['few', 'rf', 'fill'], 'bias'),
      node('Reshape', ['bias', 'image'], 'b4'),
      node('Add', ['c', 'b4'], 'y'),
    ],
    weights: {
      w,
      one: s64([1]),
      two: s64([2]),
      zero: s64([0], []),
      four: s64([4], []),
      unit: s64([1], []),
      limit: s64([2], []),
      image: s64([1, -1, 1, 1]),
    },
  }),
  'LeakyRelu, PRelu with slopes of both signs, a maximum over the image': model({
    opset: 13,
    output: [1, 4],
    nodes: [
      conv(),
      node('LeakyRelu', ['c'], 'l', { alpha: float(0.125) }),
      node('PRelu', ['l', 'slope'], 'p'),
      node('PRelu', ['p', 'steep'], 'q'),
      node('ReduceMax', ['q'], 'y', { axes: ints(2, -1), keepdims: int(0) }),
    ],
    weights: {
      w,
      slope: f32([4, 1, 1], [0.25, -0.5, 0, 0.5]),
      steep: f32([1, 4, 1, 1], [0.25, 0.5, 0, 1.5]),
    },
  }),
  'Swish, with and without its factor': model({
    opset: 24,
    output: [1, 4, 6, 6],
    nodes: [conv(), node('Swish', ['c'], 's'), node('Swish', ['s'], 'y', { alpha: float(1.5) })],
    weights: { w },
  }),
  GlobalMaxPool: model({
    opset: 13,
    output: [1, 4, 1, 1],
    nodes: [conv(), node('GlobalMaxPool', ['c'], 'y')],
    weights: { w },
  }),
  'weights that are computed from constants; Max and Min as per-channel clamps': model({
    opset: 13,
    output: [1, 4, 6, 6],
    nodes: [
      node('Transpose', ['wt'], 'w', { perm: ints(3, 2, 0, 1) }),
      conv(),
      node('Max', ['c', 'lo'], 'm'),
      node('Min', ['hi', 'm'], 'y'),
    ],
    weights: {
      wt: randomTensor([3, 3, 3, 4], 1),
      lo: f32([1, 4, 1, 1], [-0.5, -1, 0, -2]),
      hi: f32([4, 1, 1], [0.5, 1, 2, 0.1]),
    },
  }),
};

test.each(Object.keys(agreeing))('%s', async (name) => {
  expect(await disagreement(agreeing[name]!, (graph) => graph)).toBeLessThan(1e-6);
  expect(await disagreement(agreeing[name]!, canonicalize)).toBeLessThan(3e-6);
});

describe('unsupported nodes', () => {
  const bad = model({
    opset: 11,
    output: [1, 4, 8, 8],
    nodes: [
      node('Selu', ['x'], 'a', {}, 'act'),
      node('Conv', ['a', 'w'], 'b', {}, 'behind'),
      node('LogSoftmax', ['b'], 'c', {}, 'head/Softmax_1'),
      node(
        'Pad',
        ['x'],
        'p',
        { mode: text('reflect'), pads: ints(0, 0, 1, 1, 0, 0, 1, 1) },
        'edge',
      ),
      node('Relu', ['p'], 'q', { slope: float(1) }, 'odd'),
      { ...node('FusedConv', ['c', 'w'], 'y', {}, 'fused'), domain: 'com.example' },
    ],
    weights: { w },
  });

  test('are listed at once, as data', () => {
    expect(unsupportedNodes(bad).map(({ name, op, opset }) => [name, op, opset])).toEqual([
      ['act', 'Selu', 11],
      ['head/Softmax_1', 'LogSoftmax', 11],
      ['edge', 'Pad', 11],
      ['fused', 'FusedConv', 0],
    ]);
    expect(unsupportedNodes(agreeing[Object.keys(agreeing)[0]!]!)).toEqual([]);
  });

  test('and in one error of one line', () => {
    expect(() => importOnnx(bad)).toThrow(ModelError);
    expect(() => importOnnx(bad)).toThrow(
      /^\[unsupported-op\] 4 nodes: .*"Selu" \(opset 11\).*"LogSoftmax".*reflect.*"com\.example::FusedConv"[^\n]*$/,
    );
  });

  test('a single one is named as style.md has it', () => {
    const one = model({ output: [1, 3], nodes: [node('LogSoftmax', ['x'], 'y', {}, 'head/S')] });
    expect(() => importOnnx(one)).toThrow(
      /^\[unsupported-op\] node "head\/S": expected a supported operator, got "LogSoftmax" \(opset 13\): /,
    );
  });

  test('an attribute that the operator does not know', () => {
    const odd = model({
      output: [1, 3, 8, 8],
      nodes: [node('Relu', ['x'], 'y', { slope: float(1) })],
    });
    expect(() => importOnnx(odd)).toThrow(/"slope"/);
  });

  test('a model that is already quantized says so', () => {
    const quantized = model({ output: [1], nodes: [node('QuantizeLinear', ['x', 's'], 'y')] });
    expect(() => importOnnx(quantized)).toThrow(/already quantized/);
  });
});

describe('models that are at fault', () => {
  const convModel = (weights: Parameters<typeof model>[0]['weights'], parts = {}) =>
    model({
      output: [1, 4, 6, 6],
      nodes: [node('Conv', ['x', 'w', 'bias'], 'y', {}, 'first')],
      ...(weights ? { weights } : {}),
      ...parts,
    });

  test('a weight without data is named', () => {
    expect(() => importOnnx(convModel({ w }))).toThrow(
      /\[missing-weight\] node "first": bias "bias"/,
    );
    const bias = randomTensor([4], 1);
    expect(() => importOnnx(convModel({ bias }))).toThrow(/weight "w" has no data/);
    const gone = model({ output: [1], nodes: [node('Relu', ['nowhere'], 'y')] });
    expect(() => importOnnx(gone)).toThrow(/\[missing-weight\].*"nowhere"/);
  });

  test('NaN and infinity name layer, weight and channel', () => {
    const bias = f32([4], [0, 0, NaN, 0]);
    expect(() => importOnnx(convModel({ w, bias }))).toThrow(
      /\[non-finite-weights\] node "first": .*NaN in "bias" at element 2 \(channel 2\)/,
    );
    const data = Float32Array.from(w.data);
    data[30] = -Infinity;
    const broken = convModel({ w: { ...w, data }, bias: randomTensor([4], 1) });
    expect(() => importOnnx(broken)).toThrow(/-Infinity in "w" at element 30 \(channel 1\)/);
  });

  test.each([
    [6, /operator set 7 to 28, got 6/],
    [29, /operator set 7 to 28, got 29/],
  ])('operator set %d', (opset, message) => {
    const bad = model({ opset, output: [1, 3, 8, 8], nodes: [node('Relu', ['x'], 'y')] });
    expect(() => importOnnx(bad)).toThrow(message);
  });

  test('open image sizes, integer inputs, shapes that do not fit', () => {
    const relu = { output: [1], nodes: [node('Relu', ['x'], 'y')] };
    expect(() => importOnnx(model({ ...relu, input: [1, 3, 'H', 8] }))).toThrow(
      /size 2 is open \("H"\)/,
    );
    expect(() => importOnnx(model({ ...relu, inputDType: 's8' }))).toThrow(
      /expected float numbers or bytes, got s8/,
    );
    const bias = randomTensor([4], 1);
    const narrow = convModel({ w: randomTensor([4, 2, 3, 3], 1), bias });
    expect(() => importOnnx(narrow)).toThrow(/\[bad-shape\] node "first": Conv with group 1/);
  });
});
