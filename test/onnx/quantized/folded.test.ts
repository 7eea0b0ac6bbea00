// SPDX-License-Identifier: Apache-2.0
// What exporters leave between constants, codes and the layers that read them, against onnxruntime
// with its optimizations off.
import * as ort from 'onnxruntime-node';

import type { QuantConv, QuantGraph } from '../../../src/graph/quant-graph.js';
import { encodeModel } from '../../../src/onnx/file/encode.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importQuantized } from '../../../src/onnx/quantized/import.js';
import { writeQdq } from '../../../src/onnx/write/qdq.js';
import { quantizeInput } from '../../../src/program/input.js';
import { interpret } from '../../../src/program/interpret.js';
import { lower } from '../../../src/program/lower.js';
import { findTarget } from '../../../src/targets/index.js';
import { randomNumbers } from '../build.js';
import { ModelBuilder, float, int, ints } from '../build-model.js';

const convOf = ({ nodes }: QuantGraph) =>
  nodes.find((node): node is QuantConv => node.op === 'Conv')!;

/** The most steps that an output code is off onnxruntime's, over random images. */
async function steps(b: ModelBuilder, target = 'onnxruntime'): Promise<number> {
  const model = b.model();
  const bytes = encodeModel({ ...model, irVersion: 8 });
  const program = lower(importQuantized(readOnnx(bytes)), findTarget(target));
  const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'disabled' });
  const next = randomNumbers(7);
  const size = b.inputShape.reduce((a, x) => a * x, 1);
  let worst = 0;
  for (let run = 0; run < 4; run++) {
    const input = Float32Array.from({ length: size }, () => 40 * next());
    const [output] = interpret(program, quantizeInput(program, input)).outputs;
    const { height, width, channels } = program.tensors[program.outputs[0]!]!;
    const tensor = new ort.Tensor('float32', input, b.inputShape);
    const reals = (await session.run({ x: tensor }))[b.outputs[0]!]!.data as Float32Array;
    expect(output!.data).toHaveLength(reals.length);
    expect(new Set(output!.data).size).toBeGreaterThan(2);
    output!.data.forEach((code, i) => {
      const at = (i % channels) * height * width + Math.floor(i / channels);
      const theirs = Math.round(reals[at]! / output!.scale) + output!.zeroPoint;
      worst = Math.max(worst, Math.abs(code - theirs));
    });
  }
  await session.release();
  return worst;
}

const random = (seed: number, count: number, size: number) => {
  const next = randomNumbers(seed);
  return Array.from({ length: count }, () => size * next());
};

/** Scales per channel and the zero points that go with them. */
function channelScales(b: ModelBuilder, name: string, count: number): [string, string] {
  const scales = Float32Array.from({ length: count }, (_, i) => 0.01 + 0.003 * i);
  return [
    b.constant(`${name}_scales`, 'f32', [count], scales),
    b.constant(`${name}_zeros`, 's8', [count], new Int8Array(count)),
  ];
}

/** x -> Q/DQ -> flatten [1, 8] -> MatMul with `weight` -> Q/DQ */
function row(make: (b: ModelBuilder) => string): ModelBuilder {
  const b = new ModelBuilder([1, 2, 2, 2]);
  b.node('Flatten', [b.pair('x', 0.25, 128)], 'flat');
  b.node('MatMul', ['flat', make(b)], 'y');
  b.outputs = [b.pair('y', 0.5, 100)];
  return b;
}

/** x -> Q/DQ -> Conv with `weight` -> (more) -> Q/DQ */
function image(
  make: (b: ModelBuilder) => string,
  more: (b: ModelBuilder) => string = () => 'y',
  scale = 0.25,
): ModelBuilder {
  const b = new ModelBuilder([1, 2, 4, 4]);
  b.node('Conv', [b.pair('x', 0.25, 128), make(b)], 'y', { kernel_shape: ints(1, 1) });
  b.outputs = [b.pair(more(b), scale, 100)];
  return b;
}

const floats = (b: ModelBuilder, shape: number[]) =>
  b.constant(
    'w',
    'f32',
    shape,
    Float32Array.from(
      random(
        3,
        shape.reduce((a, x) => a * x, 1),
        1,
      ),
    ),
  );

/** Four channels of weights as codes behind DequantizeLinear, -128 among them. */
function dequantized(b: ModelBuilder, shape: number[]): string {
  const codes = Int8Array.from(
    random(
      5,
      shape.reduce((a, x) => a * x, 1),
      127,
    ),
    Math.round,
  );
  codes[0] = -128;
  codes[3] = -128;
  const [scales, zeros] = channelScales(b, 'w', 4);
  b.constant('w_codes', 's8', shape, codes);
  return b.node('DequantizeLinear', ['w_codes', scales, zeros], 'w_real', { axis: int(0) });
}

const weightForms: readonly [string, () => ModelBuilder][] = [
  [
    'QuantizeLinear along an axis, Clip, DequantizeLinear, Transpose',
    () =>
      row((b) => {
        const parameters = channelScales(b, 'w', 4);
        const axis = { axis: int(0) };
        b.node('QuantizeLinear', [floats(b, [4, 8]), ...parameters], 'q', axis);
        b.node('Clip', ['q', b.scalar('lo', 's8', -31), b.scalar('hi', 's8', 31)], 'c');
        b.node('DequantizeLinear', ['c', ...parameters], 'd', axis);
        return b.node('Transpose', ['d'], 't', { perm: ints(1, 0) });
      }),
  ],
  [
    'Transpose between QuantizeLinear and DequantizeLinear, whose axes differ',
    () =>
      row((b) => {
        const parameters = channelScales(b, 'w', 4);
        b.node('QuantizeLinear', [floats(b, [4, 8]), ...parameters], 'q', { axis: int(0) });
        b.node('Transpose', ['q'], 't');
        return b.node('DequantizeLinear', ['t', ...parameters], 'd', { axis: int(1) });
      }),
  ],
  [
    'Clip on stored codes',
    () =>
      row((b) => {
        const stored = b.constant('w', 's8', [8, 4], Int8Array.from(random(2, 32, 120)));
        b.node('Clip', [stored, b.scalar('lo', 's8', -7), b.scalar('hi', 's8', 7)], 'c');
        return b.node('DequantizeLinear', ['c', b.scalar('ws', 'f32', 0.1)], 'd');
      }),
  ],
  [
    'Reshape and Squeeze behind DequantizeLinear',
    () =>
      image((b) => {
        b.node(
          'Unsqueeze',
          [dequantized(b, [4, 2]), b.constant('a', 's64', [2], Float64Array.of(0, 3))],
          'u',
        );
        b.node('Squeeze', ['u', b.constant('z', 's64', [1], Float64Array.of(0))], 's');
        return b.node(
          'Reshape',
          ['s', b.constant('shape', 's64', [4], Float64Array.of(4, -1, 1, 1))],
          'r',
        );
      }),
  ],
  [
    'Mul and Div by constants, with a negative, a zero and a code of -128',
    () =>
      image((b) => {
        const factors = b.constant('f', 'f32', [4, 1, 1, 1], Float32Array.of(-1.5, -0.5, 0, 2));
        b.node('Mul', [factors, dequantized(b, [4, 2, 1, 1])], 'm');
        return b.node('Div', ['m', b.scalar('by', 'f32', 1.25)], 'd');
      }),
  ],
];

test.each(weightForms)('weights: %s', async (_, make) => {
  expect(await steps(make())).toBe(0);
});

test('a pair around constants that were dequantized before', async () => {
  const twice = () =>
    image((b) => {
      const parameters = [b.scalar('ws', 'f32', 0.053), b.scalar('wz', 's8', 0)];
      b.node('QuantizeLinear', [dequantized(b, [4, 2, 1, 1]), ...parameters], 'q');
      return b.node('DequantizeLinear', ['q', ...parameters], 'd');
    });
  expect(await steps(twice())).toBe(0);
});

test('one factor for weights of one scale, with a code of -128', async () => {
  const scaled = () =>
    image((b) => {
      b.constant('wq', 's8', [4, 2, 1, 1], Int8Array.of(-128, 3, 50, -7, 127, 90, -90, 1));
      b.node('DequantizeLinear', ['wq', b.scalar('ws', 'f32', 0.013)], 'w');
      return b.node('Mul', ['w', b.constant('f', 'f32', [1], Float32Array.of(-0.7))], 'm');
    });
  expect(convOf(importQuantized(scaled().model())).weight.zeroPoints).toEqual(Int32Array.of(-1));
  expect(await steps(scaled())).toBe(0);
});

test('a QLinearConv whose weights are quantized, clipped and transposed in the file', async () => {
  const b = new ModelBuilder([1, 2, 4, 4]);
  const parameters = [b.scalar('ws', 'f32', 0.011), b.scalar('wz', 's8', 0)];
  b.node('QuantizeLinear', [floats(b, [1, 1, 2, 4]), ...parameters], 'q');
  b.node('Clip', ['q', b.scalar('lo', 's8', -31), b.scalar('hi', 's8', 31)], 'c');
  b.node('Transpose', ['c'], 't', { perm: ints(3, 2, 0, 1) });
  const input = [b.scalar('xs', 'f32', 0.25), b.scalar('xz', 'u8', 128)];
  const output = [b.scalar('ys', 'f32', 0.2), b.scalar('yz', 'u8', 100)];
  b.node('QuantizeLinear', ['x', ...input], 'xq');
  b.node('QLinearConv', ['xq', ...input, 't', ...parameters, ...output], 'yq');
  b.outputs = [b.node('DequantizeLinear', ['yq', ...output], 'y')];
  expect(await steps(b)).toBe(0);
});

test('scales that a Reshape would part from their axis are refused', () => {
  const b = row((m) => {
    const codes = dequantized(m, [4, 8]);
    return m.node('Reshape', [codes, m.constant('s', 's64', [2], Float64Array.of(8, 4))], 'r');
  });
  expect(() => importQuantized(b.model())).toThrow(/float-layer|unsupported/);
});

describe('bounds on activation codes', () => {
  const bounded = (dtype: 'u8' | 's8', lo: number, hi: number, readers = 1) => {
    const b = new ModelBuilder([1, 2, 4, 4]);
    b.node('Conv', [b.pair('x', 0.25, 128), b.weights('w', [3, 2, 1, 1], 0.01)], 'y');
    const parameters = [b.scalar('ys', 'f32', 1.5), b.scalar('yz', dtype, lo < 0 ? 0 : 8)];
    b.node('QuantizeLinear', ['y', ...parameters], 'q');
    b.node('Clip', ['q', b.scalar('lo', dtype, lo), b.scalar('hi', dtype, hi)], 'c');
    b.outputs = [b.node('DequantizeLinear', ['c', ...parameters], 'd')];
    if (readers > 1) {
      b.node('DequantizeLinear', ['q', ...parameters], 'whole');
      b.node('Add', ['d', 'whole'], 'sum');
      b.outputs = [b.pair('sum', 2, 100)];
    }
    return b;
  };

  test.each<[string, ModelBuilder, number, boolean]>([
    ['u8 of 4 bits', bounded('u8', 0, 15), 4, false],
    ['u8 of 3 to 12', bounded('u8', 3, 12), 4, true],
    ['s8 of 4 bits', bounded('s8', -8, 7), 4, false],
    ['s8 of 4 bits, symmetric', bounded('s8', -7, 7), 4, true],
    ['s8 of 6 bits', bounded('s8', -32, 31), 6, false],
  ])('%s', async (_, b, bits, clamps) => {
    const graph = importQuantized(b.model());
    expect(graph.nodes).toHaveLength(1);
    expect(graph.values.get(graph.outputs[0]!)!.bits).toBe(bits);
    expect(convOf(graph).clamp !== undefined).toBe(clamps);
    expect(await steps(b)).toBeLessThanOrEqual(1);
  });

  test('codes that others read whole stay whole', async () => {
    const b = bounded('u8', 0, 15, 2);
    const ops = importQuantized(b.model()).nodes.map(({ op }) => op);
    expect(ops).toEqual(['Conv', 'Requantize', 'Add']);
    expect(await steps(b)).toBeLessThanOrEqual(1);
  });

  test('Min and Max with integers', async () => {
    const b = bounded('u8', 3, 200);
    const at = b.nodes.findIndex(({ op }) => op === 'Clip');
    b.nodes.splice(at, 1);
    b.node('Max', ['q', 'lo'], 'm');
    b.node('Min', ['hi', 'm'], 'c');
    b.nodes.push(...b.nodes.splice(at, 1));
    expect(convOf(importQuantized(b.model())).clamp).toBeDefined();
    expect(await steps(b)).toBeLessThanOrEqual(1);
  });

  test('on the input', async () => {
    const b = new ModelBuilder([1, 2, 4, 4]);
    const parameters = [b.scalar('xs', 'f32', 1), b.scalar('xz', 's8', 0)];
    b.node('QuantizeLinear', ['x', ...parameters], 'q');
    b.node('Clip', ['q', b.scalar('lo', 's8', -7), b.scalar('hi', 's8', 7)], 'c');
    b.node('DequantizeLinear', ['c', ...parameters], 'd');
    b.node('Conv', ['d', b.weights('w', [3, 2, 1, 1], 0.01)], 'y');
    b.outputs = [b.pair('y', 0.1, 100)];
    expect(await steps(b)).toBeLessThanOrEqual(1);
  });

  test('come back from the file that is written', () => {
    const graph = importQuantized(bounded('s8', -7, 7).model());
    const again = importQuantized(readOnnx(writeQdq(graph)));
    expect(again.values).toEqual(graph.values);
    expect(again.nodes).toEqual(graph.nodes);
  });

  test('real bounds behind DequantizeLinear', async () => {
    const clipped = image(
      (b) => dequantized(b, [4, 2, 1, 1]),
      (b) => {
        const scale = b.scalar('bs', 'f32', 0.5);
        b.constant('bounds_lo', 's8', [], Int8Array.of(-6));
        b.constant('bounds_hi', 's8', [], Int8Array.of(20));
        const lo = b.node('DequantizeLinear', ['bounds_lo', scale], 'lo');
        const hi = b.node('DequantizeLinear', ['bounds_hi', scale], 'hi');
        return b.node('Clip', ['y', lo, hi], 'c');
      },
    );
    expect(convOf(importQuantized(clipped.model())).clamp).toEqual({
      lo: Float32Array.of(-3),
      hi: Float32Array.of(10),
    });
    expect(await steps(clipped)).toBeLessThanOrEqual(1);
  });
});

describe('batch norms', () => {
  const normalized = (gains: readonly number[], variances: readonly number[], shift = 0.5) =>
    image(
      (b) => dequantized(b, [4, 2, 1, 1]),
      (b) => {
        const constants = [gains, gains.map((_, i) => shift * (i + 1)), [0.1, -2, 3, 0], variances];
        const names = constants.map((list, i) =>
          b.constant(`n${i}`, 'f32', [4], Float32Array.from(list)),
        );
        return b.node('BatchNormalization', ['y', ...names], 'n', { epsilon: float(1e-3) });
      },
    );

  test('gains of both signs, zero, and beside -128', async () => {
    const b = normalized([-1.2, 0.7, 0, -0.4], [0.5, 1, 2, 0.1]);
    const graph = importQuantized(b.model());
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Conv']);
    expect(graph.notes?.join()).toMatch(/batch norms behind "y:Conv" are folded/);
    expect(await steps(b)).toBeLessThanOrEqual(1);
  });

  test('a channel that almost vanishes keeps its shift', async () => {
    const b = normalized([1e-20, 1e-12, 1e-6, 1], [1, 1, 1, 1], -3);
    expect(await steps(b)).toBeLessThanOrEqual(1);
  });

  test('one scale per channel is named by targets without', () => {
    const graph = importQuantized(normalized([1, 2, 3, 4], [1, 1, 1, 1]).model());
    expect(() => lower(graph, findTarget('tflite-u8'))).toThrow(/weight scale per channel/);
  });

  test('behind a pair it is a layer of its own', async () => {
    const b = image(
      (m) => dequantized(m, [4, 2, 1, 1]),
      (m) => {
        const names = [
          [1, -0.5, 0.3, 2],
          [1, 2, 3, 4],
          [0, 1, 2, 3],
          [1, 0.5, 1, 2],
        ].map((list, i) => m.constant(`n${i}`, 'f32', [4], Float32Array.from(list)));
        return m.node('BatchNormalization', [m.pair('y', 0.5, 100), ...names], 'n');
      },
      0.5,
    );
    expect(await steps(b)).toBeLessThanOrEqual(1);
  });

  test('behind anything else, or beside other readers, it is refused', () => {
    const b = normalized([1, 2, 3, 4], [1, 1, 1, 1]);
    b.outputs = [...b.outputs, b.pair('y', 0.5, 100)];
    expect(() => importQuantized(b.model())).toThrow(/float-layer.*other readers/);
  });
});

describe('biases beyond 32 bits', () => {
  const saturating = (asAdd: boolean) => {
    const b = new ModelBuilder([1, 2, 4, 4]);
    const input = b.pair('x', 0.5, 128);
    b.constant('wq', 's8', [3, 2, 1, 1], new Int8Array(6).fill(1));
    b.constant('ws', 'f32', [3], Float32Array.of(0.1, 1e-9, 1e-10));
    b.node('DequantizeLinear', ['wq', 'ws'], 'w', { axis: int(0) });
    const bias = b.constant('b', 'f32', asAdd ? [1, 3, 1, 1] : [3], Float32Array.of(1, 2, -0.25));
    b.node('Conv', asAdd ? [input, 'w'] : [input, 'w', bias], asAdd ? 'c' : 'y');
    if (asAdd) b.node('Add', ['c', bias], 'y');
    b.outputs = [b.pair('y', 0.1, 3)];
    return importQuantized(b.model());
  };

  test.each([
    [false, 'y:Conv'],
    [true, 'y:Add'],
  ])('are named with channel and loss (in an Add: %s)', (asAdd, layer) => {
    const graph = saturating(asAdd);
    expect([...convOf(graph).bias!]).toEqual([20, 2 ** 31 - 1, -(2 ** 31)]);
    const note = graph.notes!.join();
    expect(note).toContain(`"${layer}" channel 1 (and 1 more): 2 becomes 1.07, 0.926 is lost`);
    expect(note).toMatch(/larger weight scale/);
  });

  test('nothing is said of biases that fit', () => {
    expect(importQuantized(image((b) => dequantized(b, [4, 2, 1, 1])).model()).notes).toBe(
      undefined,
    );
  });
});
