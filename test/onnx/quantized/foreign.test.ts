// SPDX-License-Identifier: Apache-2.0
// What other tools write, and what they should not have written.
import { ModelError } from '../../../src/errors.js';
import type { QuantConv, QuantGraph } from '../../../src/graph/quant-graph.js';
import { importQuantized, quantizationState } from '../../../src/onnx/quantized/import.js';
import { ModelBuilder, float, int, ints } from '../build-model.js';

const convOf = (graph: QuantGraph, i = 0) =>
  graph.nodes.filter((node): node is QuantConv => node.op === 'Conv')[i]!;

function errorOf(builder: ModelBuilder): ModelError {
  try {
    importQuantized(builder.model());
  } catch (error) {
    if (error instanceof ModelError) return error;
    throw error;
  }
  throw new Error('expected a ModelError');
}

/** x -> Q/DQ -> Conv 3x2x1x1 -> (more) */
function convolution(weightScale = 0.25): ModelBuilder {
  const b = new ModelBuilder();
  const input = b.pair('x', 0.5, 128);
  b.node('Conv', [input, b.weights('w', [3, 2, 1, 1], weightScale)], 'y');
  return b;
}

describe('forms of other tools', () => {
  test('Relu and Clip before the Q become the clamp of the convolution', () => {
    const b = convolution();
    b.node('Relu', ['y'], 'r');
    b.node('Clip', ['r', b.scalar('lo', 'f32', -1), b.scalar('hi', 'f32', 6)], 'c');
    b.outputs = [b.pair('c', 0.1, 3)];
    const graph = importQuantized(b.model());
    expect(graph.nodes).toHaveLength(1);
    expect(convOf(graph).clamp).toEqual({ lo: Float32Array.of(0), hi: Float32Array.of(6) });
    expect(graph.outputs).toEqual(['c_dq']);
    expect(graph.origin).toBe('qdq');
  });

  test('Max and Min with constants per channel, in either operand order', () => {
    const b = convolution();
    b.node('Max', [b.constant('lo', 'f32', [3, 1, 1], Float32Array.of(-1, 0, 1)), 'y'], 'm');
    b.node('Min', ['m', b.constant('hi', 'f32', [1, 3, 1, 1], Float32Array.of(2, 0, 3))], 'n');
    b.outputs = [b.pair('n', 0.1, 3)];
    expect(convOf(importQuantized(b.model())).clamp).toEqual({
      lo: Float32Array.of(-1, 0, 1),
      hi: Float32Array.of(2, 0, 3),
    });
  });

  test('float bias and bias of another scale are put on the accumulator grid', () => {
    for (const quantized of [false, true]) {
      const b = new ModelBuilder();
      const input = b.pair('x', 0.5, 128);
      let bias = b.constant('b', 'f32', [3], Float32Array.of(1, -0.1875, 0.0625));
      if (quantized) {
        b.constant('bq', 's32', [3], Int32Array.of(16, -3, 1));
        bias = b.node('DequantizeLinear', ['bq', b.scalar('bs', 'f32', 0.0625)], 'bd');
      }
      b.node('Conv', [input, b.weights('w', [3, 2, 1, 1], 0.25), bias], 'y');
      b.outputs = [b.pair('y', 0.1, 3)];
      // In steps of 0.125: 8, -1.5 and 0.5, ties to even.
      expect([...convOf(importQuantized(b.model())).bias!]).toEqual([8, -2, 0]);
    }
  });

  test('Gemm with scales along axis 1 of [K,N] is transposed', () => {
    const b = new ModelBuilder([1, 2]);
    const input = b.pair('x', 0.5, 128);
    b.constant('wq', 's8', [2, 3], Int8Array.of(1, 2, 3, 4, 5, 6));
    b.constant('ws', 'f32', [3], Float32Array.of(0.1, 0.2, 0.3));
    b.node('DequantizeLinear', ['wq', 'ws'], 'w', { axis: int(-1) });
    b.node('Gemm', [input, 'w'], 'y');
    b.outputs = [b.pair('y', 0.1, 3)];
    const conv = convOf(importQuantized(b.model()));
    expect(conv.weight.shape).toEqual([3, 2, 1, 1]);
    expect([...conv.weight.data]).toEqual([1, 4, 2, 5, 3, 6]);
    expect(conv.weight.scales).toEqual(Float32Array.of(0.1, 0.2, 0.3));
    expect(conv.fullyConnected).toBe(true);
  });

  test('MatMul followed by Add is one layer with a bias', () => {
    const b = new ModelBuilder([1, 2]);
    b.node('MatMul', [b.pair('x', 0.5, 128), b.weights('w', [2, 3], 0.25)], 'm');
    b.node('Add', ['m', b.constant('b', 'f32', [3], Float32Array.of(1, 2, 3))], 'y');
    b.outputs = [b.pair('y', 0.1, 3)];
    const graph = importQuantized(b.model());
    expect(graph.nodes).toHaveLength(1);
    expect([...convOf(graph).bias!]).toEqual([8, 16, 24]);
  });

  test('weights behind Q and DQ of floats, and floats on a grid, give the same codes', () => {
    const values = Float32Array.of(-12.7, 0.1, 0, 12.7, 3.3, -0.2);
    const codes: number[][] = [];
    for (const quantized of [true, false]) {
      const b = new ModelBuilder();
      const input = b.pair('x', 0.5, 128);
      const scale = b.scalar('ws', 'f32', 0.1);
      const grid = values.map((w) => Math.round(w * 10) * Math.fround(0.1));
      let weights = b.constant('wf', 'f32', [3, 2, 1, 1], quantized ? values : grid);
      if (quantized) {
        const zero = b.scalar('wz', 's8', 0);
        b.node('QuantizeLinear', [weights, scale, zero], 'wq');
        weights = b.node('DequantizeLinear', ['wq', scale, zero], 'w');
      }
      b.node('Conv', [input, weights], 'y');
      b.outputs = [b.pair('y', 0.1, 3)];
      const { weight } = convOf(importQuantized(b.model()));
      expect(weight.scales).toEqual(Float32Array.of(0.1));
      codes.push([...weight.data]);
    }
    expect(codes[0]).toEqual([-127, 1, 0, 127, 33, -2]);
    expect(codes[1]).toEqual(codes[0]);
  });

  test('Relu after codes is a layer of its own; a second scale is a Requantize', () => {
    const b = new ModelBuilder();
    const first = b.pair('x', 0.5, 128);
    b.node('Relu', [first], 'r');
    const second = b.pair('r', 0.25, 0);
    b.outputs = [b.pair(second, 0.125, 1)];
    const graph = importQuantized(b.model());
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Requantize', 'Requantize']);
    expect(graph.nodes[0]).toMatchObject({ clamp: { lo: Float32Array.of(0) } });
    expect(graph.values.get('r')).toMatchObject({ scale: 0.25, zeroPoint: 0 });
  });

  test('layers that only move codes need no Q; another scale after them is a Requantize', () => {
    const b = convolution();
    const y = b.pair('y', 0.1, 3);
    b.node('MaxPool', [y], 'p', { kernel_shape: ints(2, 2), strides: ints(2, 2) });
    b.node('Flatten', ['p'], 'f');
    b.outputs = [b.pair('f', 0.2, 3)];
    const graph = importQuantized(b.model());
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Conv', 'MaxPool', 'Reshape', 'Requantize']);
    expect(graph.values.get('p')).toMatchObject({ scale: Math.fround(0.1), shape: [1, 3, 2, 2] });
    expect(graph.values.get('f_dq')).toMatchObject({ scale: Math.fround(0.2), shape: [1, 12] });
  });

  test('a float softmax after the last DQ is left out, with a note', () => {
    const b = convolution();
    b.outputs = [b.node('Softmax', [b.pair('y', 0.1, 3)], 'probabilities', { axis: int(1) })];
    const graph = importQuantized(b.model());
    expect(graph.outputs).toEqual(['y']);
    expect(graph.notes).toEqual([expect.stringContaining('probabilities:Softmax')]);
  });

  test('logits without a Q are the sums themselves where one scale covers them', () => {
    const b = convolution(0.25);
    b.outputs = ['y'];
    const graph = importQuantized(b.model());
    expect(graph.values.get('y')).toMatchObject({ dtype: 's32', bits: 32, scale: 0.125 });
  });

  test('QLinearConv, QLinearAdd with a constant, QLinearConcat, QGemm, from a u8 input', () => {
    const b = new ModelBuilder([1, 2, 1, 1], 'u8');
    const q = (name: string, s: number, z: number) => [
      b.scalar(`${name}_s`, 'f32', s),
      b.scalar(`${name}_z`, 'u8', z),
    ];
    const x = q('x', 0.5, 128);
    const w = b.constant('w', 'u8', [2, 2, 1, 1], Uint8Array.of(1, 2, 3, 4));
    const bias = b.constant('b', 's32', [2], Int32Array.of(5, -6));
    const y = q('y', 0.25, 10);
    b.node('QLinearConv', ['x', ...x, w, ...q('w', 0.1, 2), ...y, bias], 'y');
    const k = b.constant('k', 'u8', [1, 2, 1, 1], Uint8Array.of(7, 9));
    const sum = q('sum', 0.3, 0);
    b.node('QLinearAdd', ['y', ...y, k, ...q('k', 0.2, 8), ...sum], 'sum', {}, 'com.microsoft');
    const both = q('both', 0.3, 1);
    const parts = ['y', ...y, 'sum', ...sum];
    b.node('QLinearConcat', [...both, ...parts], 'both', { axis: int(1) }, 'com.microsoft');
    b.node('Flatten', ['both'], 'row');
    const g = b.constant(
      'g',
      's8',
      [4, 3],
      Int8Array.from({ length: 12 }, (_, i) => i),
    );
    const gs = [b.scalar('g_s', 'f32', 0.1), b.scalar('g_z', 's8', 0)];
    const out = q('out', 0.3, 1);
    b.node('QGemm', ['row', ...both, g, ...gs, '', ...out], 'out', {}, 'com.microsoft');
    b.outputs = ['out'];
    expect(quantizationState(b.model())).toBe('qop');
    const graph = importQuantized(b.model());
    expect(graph.nodes.map(({ op }) => op)).toEqual([
      'Conv',
      'Conv', // the constant
      'Add',
      'Concat',
      'Reshape',
      'Conv',
    ]);
    expect([...convOf(graph).bias!]).toEqual([5, -6]);
    expect([...convOf(graph, 1).bias!]).toEqual([-1, 1]);
    expect(graph.input).toBe('x');
    expect(graph.values.get('row')).toMatchObject({ shape: [1, 4], zeroPoint: 1 });
  });

  test('ConvInteger, Cast, Mul, Add is a convolution', () => {
    const b = new ModelBuilder();
    b.pair('x', 0.5, 128);
    b.constant('w', 's8', [3, 2, 1, 1], Int8Array.of(1, 2, 3, 4, 5, 6));
    b.node('ConvInteger', ['x_q', 'w', b.scalar('zx', 'u8', 128)], 'acc');
    b.node('Cast', ['acc'], 'f', { to: int(1) });
    const scales = b.constant('s', 'f32', [1, 3, 1, 1], Float32Array.of(0.125, 0.25, 0.5));
    b.node('Mul', ['f', scales], 'm');
    const bias = b.constant('b', 'f32', [1, 3, 1, 1], Float32Array.of(1, 1, 1));
    b.node('Add', ['m', bias], 'y');
    b.outputs = [b.pair('y', 0.1, 3)];
    const conv = convOf(importQuantized(b.model()));
    expect([...conv.weight.scales]).toEqual([0.25, 0.5, 1]);
    expect([...conv.bias!]).toEqual([8, 4, 2]);
  });

  test('an NHWC input keeps its name and loses its Transpose', () => {
    const b = new ModelBuilder([1, 4, 4, 2]);
    b.node('Transpose', ['x'], 'nchw', { perm: ints(0, 3, 1, 2) });
    b.node('Conv', [b.pair('nchw', 0.5, 128), b.weights('w', [3, 2, 1, 1], 0.25)], 'y');
    b.outputs = [b.pair('y', 0.1, 3)];
    const graph = importQuantized(b.model());
    expect(graph.values.get('x')).toMatchObject({ shape: [1, 2, 4, 4] });
    expect(graph.nodes).toHaveLength(1);
  });
});

describe('bad files end in one error that names the node and the way out', () => {
  test('missing scale', () => {
    const b = convolution();
    b.outputs = [b.pair('y', 0.1, 3)];
    b.initializers.delete('y_s');
    const error = errorOf(b);
    expect(error.code).toBe('missing-scale');
    expect(error.message).toContain('node "y_q:QuantizeLinear"');
    expect(error.message).toContain('store the scale in the file');
  });

  test.each([
    [4, 'from -4 to 3'],
    [-5, 'from -4 to 3'],
    [1, 'expected 2 scales along axis 1'],
  ])('quantization axis %d', (axis, detail) => {
    const b = new ModelBuilder();
    const input = b.pair('x', 0.5, 128);
    b.constant('wq', 's8', [3, 2, 1, 1], new Int8Array(6));
    b.constant('ws', 'f32', [3], Float32Array.of(0.1, 0.2, 0.3));
    b.node('DequantizeLinear', ['wq', 'ws'], 'w', { axis: int(axis) });
    b.node('Conv', [input, 'w'], 'y');
    b.outputs = [b.pair('y', 0.1, 3)];
    const error = errorOf(b);
    expect(error.code).toBe('bad-quantization-axis');
    expect(error.message).toContain('w:DequantizeLinear');
    expect(error.message).toContain(detail);
  });

  test('every unsupported operator is listed, and float layers with them', () => {
    const b = convolution();
    const y = b.pair('y', 0.1, 3);
    b.node('InstanceNormalization', [y, 'w', 'w'], 'bn');
    const z = b.pair('bn', 0.1, 3);
    b.node('Tanh', [z], 't');
    b.outputs = [b.pair('t', 0.1, 3)];
    const error = errorOf(b);
    expect(error.code).toBe('unsupported-op');
    expect(error.message).toContain('2 problems');
    expect(error.message).toContain('"bn:InstanceNormalization"');
    expect(error.message).toContain('"t:Tanh"');
    expect(error.message.split('\n')).toHaveLength(1);
  });

  test('a float layer between integer ones is refused by name', () => {
    const b = convolution();
    const y = b.pair('y', 0.1, 3);
    b.node('Conv', [y, b.weights('v', [3, 3, 1, 1], 0.2)], 'middle');
    b.node('Conv', ['middle', b.weights('u', [3, 3, 1, 1], 0.2)], 'last');
    b.outputs = [b.pair('last', 0.1, 3)];
    const error = errorOf(b);
    expect(error.code).toBe('float-layer');
    expect(error.message).toContain('node "middle:Conv"');
    expect(error.message).toContain('quantize the whole network');
  });

  test('float weights that lie on no grid', () => {
    const noise = Float32Array.from({ length: 600 }, (_, i) => Math.sin(i * i));
    // Two values per channel are always on some grid; one channel of many values is not.
    const wide = new ModelBuilder([1, 600, 1, 1]);
    wide.node(
      'Conv',
      [wide.pair('x', 0.5, 128), wide.constant('w', 'f32', [1, 600, 1, 1], noise)],
      'y',
    );
    wide.outputs = [wide.pair('y', 0.1, 3)];
    expect(errorOf(wide).message).toMatch(/float-layer.*"y:Conv".*no 8-bit grid/);
  });

  test('one tensor quantized in two ways', () => {
    const b = convolution();
    const first = b.pair('y', 0.1, 3);
    b.node('QuantizeLinear', ['y', b.scalar('s2', 'f32', 0.2), 'y_z'], 'y2');
    b.node('DequantizeLinear', ['y2', 's2', 'y_z'], 'y2d');
    b.outputs = [b.node('Add', [first, 'y2d'], 'sum')];
    expect(errorOf(b).code).toBe('conflicting-quantization');
  });

  test('a DequantizeLinear that disagrees with its QuantizeLinear', () => {
    const b = convolution();
    b.pair('y', 0.1, 3);
    b.outputs = [b.node('DequantizeLinear', ['y_q', b.scalar('s2', 'f32', 0.2), 'y_z'], 'out')];
    expect(errorOf(b).message).toMatch(/conflicting-quantization.*"out:DequantizeLinear"/);
  });

  test.each([
    ['alpha', float(2)],
    ['transA', int(1)],
  ])('Gemm with %s', (key, value) => {
    const b = new ModelBuilder([1, 2]);
    b.node('Gemm', [b.pair('x', 0.5, 128), b.weights('w', [2, 3], 0.25)], 'y', { [key]: value });
    b.outputs = [b.pair('y', 0.1, 3)];
    expect(errorOf(b).code).toBe('unsupported-attribute');
  });

  test('scales of zero, and scales computed at run time', () => {
    const zero = convolution();
    zero.outputs = [zero.pair('y', 0, 3)];
    expect(errorOf(zero).message).toMatch(/bad-quantization.*positive finite scales/);
    const dynamic = new ModelBuilder();
    dynamic.node('DynamicQuantizeLinear', ['x'], 'q');
    dynamic.node(
      'ConvInteger',
      ['q', dynamic.constant('w', 's8', [3, 2, 1, 1], new Int8Array(6))],
      'y',
    );
    dynamic.outputs = ['y'];
    expect(errorOf(dynamic).code).toBe('missing-scale');
  });

  test('a float model', () => {
    const b = new ModelBuilder();
    b.outputs = [b.node('Relu', ['x'], 'y')];
    expect(errorOf(b).message).toMatch(/float-model.*lastbit quantize/);
  });

  test('a symbolic image size', () => {
    const b = new ModelBuilder([1, 2, 0, 0]);
    b.outputs = [b.pair('x', 0.1, 3)];
    expect(errorOf(b).code).toBe('unsupported-shape');
  });
});
