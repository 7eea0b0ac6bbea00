// SPDX-License-Identifier: Apache-2.0
// Lowering against values worked out by hand from the recipes in src/targets/NOTES.md.
import type { QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';
import { quantizeMultiplier, significand } from '../../src/numeric/multipliers.js';
import { encode } from '../../src/program/encode.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import type { Op } from '../../src/program/program.js';
import { allTargets, findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from './quant-graphs.js';

/** The operations of kind `kind` that a graph is lowered to. */
function lowered<K extends Op['op']>(
  graph: QuantGraph,
  target: string,
  kind: K,
): Extract<Op, { op: K }>[] {
  const program = lower(graph, findTarget(target));
  return program.ops.filter((op): op is Extract<Op, { op: K }> => op.op === kind);
}

describe('conv', () => {
  const x = value('x', [1, 2, 3, 3], { scale: 0.5, zeroPoint: -7 });
  const y = value('y', [1, 2, 2, 2], { scale: 0.25, zeroPoint: 3 });
  const conv = convNode(2, 2, {
    kernel: [2, 2],
    weight: {
      dtype: 's8',
      bits: 8,
      shape: [2, 2, 2, 2],
      data: Int8Array.from({ length: 16 }, (_, i) => i),
      scales: Float32Array.of(0.5, 0.375),
      zeroPoints: Int32Array.of(0, 0),
    },
    bias: Int32Array.of(10, -20),
    clamp: { lo: Float32Array.of(0), hi: Float32Array.of(6) },
  });

  test('tflm: layout, multipliers, clamp, facts', () => {
    const program = lower(graphOf([x, y], [conv]), findTarget('tflm'));
    expect(program).toMatchObject({
      target: 'tflm@2026.10',
      metadata: { 'lastbit.preprocess': 'tf', 'lastbit.version': '0.1.0' },
      input: 0,
      outputs: [1],
      inputQuantization: { form: 'divide', rule: 'halfAway' },
    });
    expect(program.tensors[0]).toEqual({
      name: 'x',
      dtype: 's8',
      height: 3,
      width: 3,
      channels: 2,
      zeroPoint: -7,
      scale: 0.5,
    });
    expect(program.ops).toEqual([
      {
        op: 'conv',
        name: 'conv',
        inputs: [0],
        output: 1,
        kernel: [2, 2],
        strides: [1, 1],
        dilations: [1, 1],
        pads: [0, 0, 0, 0],
        groups: 1,
        weightType: 's8',
        // [o][i][ky][kx] = o * 8 + i * 4 + ky * 2 + kx, now [o][ky][kx][i]
        weights: Int8Array.of(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15),
        weightZeroPoints: Int32Array.of(0),
        bias: Int32Array.of(10, -20),
        accumulator: {
          bits: 32,
          overflow: 'wrap',
          when: 'end',
          products: 'exact',
          biasFirst: false,
        },
        // 0.5 * 0.5 / 0.25 = 1; 0.5 * 0.375 / 0.25 = 0.75
        requant: {
          kind: 'fixed',
          multiplier: Int32Array.of(2 ** 30, 3 * 2 ** 29),
          shift: Uint8Array.of(30, 31),
          rule: 'gemmlowp2',
        },
        // 0 -> 3, 6 / 0.25 + 3 = 27
        clamp: { lo: Int32Array.of(3), hi: Int32Array.of(27) },
      },
    ]);
  });

  test('onnxruntime: the float32 scale', () => {
    const [op] = lowered(graphOf([x, y], [conv]), 'onnxruntime', 'conv');
    expect(op!.requant).toEqual({ kind: 'f32', scale: Float32Array.of(1, 0.75) });
  });

  test('xnnpack-rndnu: the bits of the float32 scale', () => {
    const u8 = graphOf(
      [
        value('x', [1, 1, 1, 1], { dtype: 'u8', scale: 0.5 }),
        value('y', [1, 1, 1, 1], { dtype: 'u8', scale: 0.75 }),
      ],
      [
        convNode(1, 1, {
          weight: {
            dtype: 'u8',
            bits: 8,
            shape: [1, 1, 1, 1],
            data: Uint8Array.of(7),
            scales: Float32Array.of(0.1),
            zeroPoints: Int32Array.of(128),
          },
        }),
      ],
    );
    const [op] = lowered(u8, 'xnnpack-rndnu', 'conv');
    const scale = Math.fround(Math.fround(0.5 * Math.fround(0.1)) / 0.75);
    const { multiplier, shift } = significand(scale);
    expect(op!.requant).toEqual({
      kind: 'fixed',
      multiplier: Int32Array.of(multiplier),
      shift: Uint8Array.of(shift),
      rule: 'halfUp',
    });
    expect(op!.weightZeroPoints).toEqual(Int32Array.of(128));
  });

  test('pow2: shifts, left ones too', () => {
    const values = [
      value('x', [1, 1, 1, 1], { scale: 0.5 }),
      value('y', [1, 2, 1, 1], { scale: 2 ** -3 }),
    ];
    const [op] = lowered(graphOf(values, [convNode(2, 1, {}, [2 ** -6, 2])]), 'pow2', 'conv');
    // -1 - 6 + 3 = -4; -1 + 1 + 3 = 3
    expect(op!.requant).toEqual({ kind: 'shift', shift: Int8Array.of(4, -3), rule: 'halfUp' });
  });

  test('pow2: an s32 output at accumulator scale is the accumulator', () => {
    const values = [
      value('x', [1, 1, 1, 1], { scale: 0.5 }),
      value('y', [1, 2, 1, 1], { dtype: 's32', bits: 32, scale: 2 ** -7 }),
    ];
    const [op] = lowered(graphOf(values, [convNode(2, 1, {}, [2 ** -6])]), 'pow2', 'conv');
    expect(op!.requant).toEqual({ kind: 'none' });
  });

  test('fully connected with one scale: tflite-builtin rounds the product of scales to float32', () => {
    const scales = { si: 0.1, sw: 0.7, so: 0.3 };
    const values = [
      value('x', [1, 1], { scale: scales.si }),
      value('y', [1, 1], { scale: scales.so }),
    ];
    const multiplierOf = (fullyConnected: boolean): number => {
      const [op] = lowered(
        graphOf(values, [convNode(1, 1, { fullyConnected }, [scales.sw])]),
        'tflite-builtin',
        'conv',
      );
      return op!.requant.kind === 'fixed' ? op!.requant.multiplier[0]! : NaN;
    };
    const [si, sw, so] = [scales.si, scales.sw, scales.so].map(Math.fround) as [
      number,
      number,
      number,
    ];
    expect(multiplierOf(true)).toBe(quantizeMultiplier(Math.fround(si * sw) / so).multiplier);
    expect(multiplierOf(false)).toBe(quantizeMultiplier((si * sw) / so).multiplier);
    expect(multiplierOf(true)).not.toBe(multiplierOf(false));
  });

  test('a flattened image becomes a kernel as large as it', () => {
    const values = [
      value('x', [1, 2, 2, 3]),
      value('flat', [1, 12]),
      value('y', [1, 1], { scale: 4 }),
    ];
    const nodes: QuantNode[] = [
      { op: 'Reshape', name: 'flatten', inputs: ['x'], output: 'flat' },
      convNode(1, 12, {
        inputs: ['flat'],
        fullyConnected: true,
        weight: {
          dtype: 's8',
          bits: 8,
          shape: [1, 12, 1, 1],
          data: Int8Array.from({ length: 12 }, (_, i) => i + 1),
          scales: Float32Array.of(1),
          zeroPoints: Int32Array.of(0),
        },
      }),
    ];
    const program = lower(graphOf(values, nodes), findTarget('tflm'));
    const [op] = program.ops;
    expect(op).toMatchObject({ op: 'conv', kernel: [2, 3], inputs: [0] });
    // NCHW element i is i + 1: the sum of its squares is what NHWC codes must give
    const nhwc = Int8Array.of(1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12);
    const run = interpret(program, nhwc);
    expect(run.outputs[0]!.data[0]).toBe(Math.min(Math.round(650 / 4), 127));
    expect(op).toMatchObject({ weights: nhwc });
  });

  describe('a flattened image whose products saturate in pairs', () => {
    const flattened = (height: number, width: number) => {
      const values = [
        value('x', [1, 2, height, width], { dtype: 'u8' }),
        value('flat', [1, 2 * height * width], { dtype: 'u8' }),
        value('y', [1, 1], { dtype: 'u8' }),
        value('z', [1, 1], { dtype: 'u8' }),
      ];
      const layer = { inputs: ['flat'], fullyConnected: true };
      const nodes: QuantNode[] = [
        { op: 'Reshape', name: 'flatten', inputs: ['x'], output: 'flat' },
        convNode(1, 2 * height * width, layer),
        { ...convNode(1, 2 * height * width, layer), name: 'second', output: 'z' },
      ];
      return { ...graphOf(values, nodes), outputs: ['y', 'z'] };
    };

    test('becomes one row in NCHW order, for all its readers', () => {
      const program = lower(flattened(2, 3), findTarget('onnxruntime-avx2'));
      expect(program.ops.map(({ op }) => op)).toEqual([
        'reshape',
        'conv',
        'reshape',
        'conv',
        'conv',
      ]);
      const nhwc = Uint8Array.of(1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 255);
      const { taps } = interpret(program, nhwc, { taps: 'all' });
      const nchw = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255];
      expect(Array.from(taps.get('flat')!.data)).toEqual(nchw);
    });

    test('has the same operations under other targets where that is wanted', () => {
      const kinds = (target: string) =>
        lower(flattened(2, 3), findTarget(target), { rows: true }).ops.map(({ name }) => name);
      expect(kinds('onnxruntime')).toEqual(kinds('onnxruntime-avx2'));
      expect(lower(flattened(2, 3), findTarget('onnxruntime')).ops).toHaveLength(2);
    });

    test('is refused as a row where sums saturate step by step', () => {
      const onnxruntime = findTarget('onnxruntime');
      const { arithmetic } = onnxruntime;
      const accumulator = {
        ...arithmetic.accumulator,
        overflow: 'saturate',
        when: 'each',
      } as const;
      const target = { ...onnxruntime, arithmetic: { ...arithmetic, accumulator } };
      expect(lower(flattened(2, 3), target).ops).toHaveLength(2);
      expect(() => lower(flattened(2, 3), target, { rows: true })).toThrow(
        /node "conv".*overflow step by step.*compare this target/,
      );
    });

    test('is refused where it is too large', () => {
      expect(() => lower(flattened(32, 33), findTarget('onnxruntime-avx2'))).toThrow(
        /node "conv".*32 x 33.*at most 1024 positions.*onnxruntime/,
      );
    });
  });

  test('avx2 pairs saturate for u8 x s8, but not depthwise', () => {
    const values = [
      value('x', [1, 2, 1, 1], { dtype: 'u8' }),
      value('y', [1, 2, 1, 1], { dtype: 'u8' }),
    ];
    const dense = graphOf(values, [convNode(2, 2)]);
    const depthwise = graphOf(values, [convNode(2, 1, { group: 2 })]);
    expect(lowered(dense, 'onnxruntime-avx2', 'conv')[0]!.accumulator.products).toBe('satPairs16');
    expect(lowered(depthwise, 'onnxruntime-avx2', 'conv')[0]!.accumulator.products).toBe('exact');
    expect(lowered(dense, 'onnxruntime', 'conv')[0]!.accumulator.products).toBe('exact');
  });

  test('clamps per channel, where the target has them', () => {
    const clamp = { lo: Float32Array.of(0), hi: Float32Array.of(6, 3) };
    const graph = graphOf(
      [value('x', [1, 1, 1, 1]), value('y', [1, 2, 1, 1], { scale: 0.1, zeroPoint: -128 })],
      [convNode(2, 1, { clamp })],
    );
    const [op] = lowered(graph, 'q31-pc', 'conv');
    expect(op!.clamp).toEqual({ lo: Int32Array.of(-128), hi: Int32Array.of(-68, -98) });
    expect(() => lower(graph, findTarget('tflm'))).toThrow(/clamp per channel.*q31-pc/);
  });
});

describe('add', () => {
  const values = (sa: number, sb: number, so: number): QuantValue[] => [
    value('x', [1, 1, 1, 1], { scale: sa }),
    value('b', [1, 1, 1, 1], { scale: sb }),
    value('y', [1, 1, 1, 1], { scale: so }),
  ];
  /** x converted to b's scale, then x + b: a graph has one input. */
  const nodes: QuantNode[] = [
    { op: 'Requantize', name: 'copy', inputs: ['x'], output: 'b' },
    { op: 'Add', name: 'add', inputs: ['x', 'b'], output: 'y' },
  ];

  test('tflm: relative to twice the larger scale', () => {
    const [op] = lowered(graphOf(values(0.5, 0.25, 1), nodes), 'tflm', 'add');
    // t = 1: 0.5 and 0.25; t / (2^20 * 1) = 2^-20
    expect(op!.form).toEqual({
      kind: 'rescaled',
      leftShift: 20,
      multiplierA: 2 ** 30,
      shiftA: 31,
      multiplierB: 2 ** 30,
      shiftB: 32,
      multiplierOut: 2 ** 30,
      shiftOut: 50,
      rule: 'gemmlowp2',
    });
  });

  test('xnnpack: 21 bits on the larger ratio', () => {
    const [op] = lowered(graphOf(values(0.5, 0.25, 1), nodes), 'xnnpack', 'add');
    // ratios 0.5 and 0.25; exponent of the larger -1, shift 20 + 1
    expect(op!.form).toEqual({
      kind: 'aligned',
      multiplierA: 2 ** 20,
      multiplierB: 2 ** 19,
      shift: 21,
      rule: 'halfUp',
    });
  });

  test('onnxruntime: float32 ratios', () => {
    const [op] = lowered(graphOf(values(0.3, 0.2, 0.7), nodes), 'onnxruntime', 'add');
    const [a, b, o] = [0.3, 0.2, 0.7].map(Math.fround) as [number, number, number];
    expect(op!.form).toEqual({
      kind: 'f32',
      form: 'fused',
      scaleA: Math.fround(a / o),
      scaleB: Math.fround(b / o),
      scaleOut: o,
    });
    expect(
      lowered(graphOf(values(0.3, 0.2, 0.7), nodes), 'onnxruntime-sse41', 'add')[0]!.form,
    ).toMatchObject({
      form: 'separate',
    });
  });

  test.each([
    [0.5, 0.125, 1, { multiplierA: 4, multiplierB: 1, shift: 3 }],
    [0.5, 0.5, 0.125, { multiplierA: 4, multiplierB: 4, shift: 0 }],
    [1, 4, 2, { multiplierA: 1, multiplierB: 4, shift: 1 }],
  ])('pow2: %d + %d -> %d aligns to the finest exponent', (sa, sb, so, expected) => {
    const [op] = lowered(graphOf(values(sa, sb, so), nodes), 'pow2', 'add');
    expect(op!.form).toEqual({ kind: 'aligned', rule: 'halfUp', ...expected });
  });
});

describe('pools', () => {
  const global: QuantNode = { op: 'GlobalAveragePool', name: 'pool', inputs: ['x'], output: 'y' };
  const sides = (si: number, so: number): QuantValue[] => [
    value('x', [1, 1, 7, 7], { scale: si }),
    value('y', [1, 1, 1, 1], { scale: so }),
  ];

  test('tflm: MEAN divides the multiplier by 49 in integers', () => {
    const [op] = lowered(graphOf(sides(0.5, 0.25), [global]), 'tflm', 'averagePool');
    // factor 2: m = 2^30, e = 2; k = min(5, 32, 33) = 5: floor(2^35 / 49), shift 31 - 2 + 5
    expect(op!.form).toEqual({
      kind: 'requant',
      requant: {
        kind: 'fixed',
        multiplier: Int32Array.of(Math.floor(2 ** 35 / 49)),
        shift: Uint8Array.of(34),
        rule: 'gemmlowp2',
      },
    });
  });

  test('onnxruntime: f32(si / f32(so * n))', () => {
    const [op] = lowered(graphOf(sides(0.3, 0.2), [global]), 'onnxruntime', 'averagePool');
    const scale = Math.fround(Math.fround(0.3) / Math.fround(Math.fround(0.2) * 49));
    expect(op!.form).toEqual({
      kind: 'requant',
      requant: { kind: 'f32', scale: Float32Array.of(scale) },
    });
  });

  test('pow2: a 15-bit reciprocal and the exponents in the shift', () => {
    const [op] = lowered(graphOf(sides(0.5, 0.25), [global]), 'pow2', 'averagePool');
    // 2^20 / 49 = 21399.5..., half up; shift 20 - 2 + 1
    expect(op!.form).toMatchObject({
      requant: { multiplier: Int32Array.of(21400), shift: Uint8Array.of(19), rule: 'halfUp' },
    });
  });

  const windowed = (given: object = {}): QuantNode => ({
    op: 'AveragePool',
    name: 'pool',
    inputs: ['x'],
    output: 'y',
    kernel: [7, 7],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    countIncludePad: false,
    ...given,
  });

  test('equal scales divide raw codes under tflm, float32 windows are averaged under onnxruntime', () => {
    expect(lowered(graphOf(sides(0.5, 0.5), [windowed()]), 'tflm', 'averagePool')[0]!.form).toEqual(
      {
        kind: 'divide',
        rule: 'halfAway',
      },
    );
    const sevenRows = [
      value('x', [1, 1, 8, 7], { scale: 0.5 }),
      value('y', [1, 1, 2, 1], { scale: 0.5 }),
    ];
    expect(
      lowered(graphOf(sevenRows, [windowed()]), 'onnxruntime', 'averagePool')[0]!.form,
    ).toEqual({ kind: 'f32Window', scaleIn: 0.5, scaleOut: 0.5 });
  });

  test('a window over the whole image is the global pool under every onnxruntime profile', () => {
    for (const target of ['', '-avx2', '-sse41', '-arm64'].map((name) => `onnxruntime${name}`)) {
      const form = (node: QuantNode) =>
        lowered(graphOf(sides(0.5, 0.25), [node]), target, 'averagePool')[0]!.form;
      expect(form(windowed())).toEqual(form(global));
      const padded = windowed({ kernel: [9, 9], pads: [1, 1, 1, 1] });
      expect(form(padded)).toMatchObject({ kind: 'f32Window' });
    }
  });

  test('tosa: a reciprocal of 30 bits', () => {
    const [op] = lowered(graphOf(sides(0.5, 0.5), [windowed()]), 'tosa-single', 'averagePool');
    // k = 32 - clz(48) = 6: floor((2^30 + 1) * 64 / 49), shift 36
    expect(op!.form).toMatchObject({
      requant: {
        multiplier: Int32Array.of(Math.floor(((2 ** 30 + 1) * 64) / 49)),
        shift: Uint8Array.of(36),
      },
    });
  });
});

describe('softmax', () => {
  const values = [
    value('x', [1, 5], { scale: 0.1 }),
    value('y', [1, 5], { scale: 1 / 256, zeroPoint: -128 }),
  ];
  const node: QuantNode = { op: 'Softmax', name: 'softmax', inputs: ['x'], output: 'y', beta: 1 };

  test('tflm: multiplier, left shift and least difference', () => {
    const [op] = lowered(graphOf(values, [node]), 'tflm', 'softmax');
    // f32(0.1) * 2^26 = 6710886.5: 23 binary digits
    expect(op!.form).toEqual({
      kind: 'gemmlowp',
      multiplier: Math.round(Math.fround(0.1) * 2 ** 26 * 2 ** 8),
      leftShift: 23,
      diffMin: -Math.floor((31 * 2 ** 26) / 2 ** 23),
    });
  });

  test('xnnpack: a table of exp', () => {
    const [op] = lowered(graphOf(values, [node]), 'xnnpack', 'softmax');
    expect(op!.form).toMatchObject({ kind: 'f32Table', outputScale: 1 / 256, rule: 'halfAway' });
    const table = op!.form.kind === 'f32Table' ? op!.form.table : [];
    expect(table[0]).toBe(1);
    expect(table[10]).toBeCloseTo(Math.exp(-1), 6);
  });

  test('other output scales are refused, and targets without softmax', () => {
    const other = [values[0]!, { ...values[1]!, scale: 1 / 128 }];
    expect(() => lower(graphOf(other, [node]), findTarget('tflm'))).toThrow(/scale 1\/256/);
  });

  test('targets without softmax: the logits of a last softmax are the output, and it is said', () => {
    const reshape: QuantNode = { op: 'Reshape', name: 'flat', inputs: ['y'], output: 'z' };
    const flat = [...values, { ...values[1]!, name: 'z' }];
    const program = lower(graphOf(flat, [node, reshape]), findTarget('onnxruntime'));
    expect(program.ops).toEqual([]);
    expect(program.outputs).toEqual([0]);
    expect(program.metadata['lastbit.omitted']).toMatch(
      /^softmax ".+": onnxruntime@1.30 has none, so the logits "x" are the output$/,
    );
    const again = convNode(2, 2, { inputs: ['y'], output: 'z' });
    expect(() => lower(graphOf(flat, [node, again]), findTarget('onnxruntime'))).toThrow(
      /has no softmax, and this one is not the last layer/,
    );
  });
});

describe('tables', () => {
  const unary = (
    op: 'HardSwish' | 'Sigmoid' | 'HardSigmoid' | 'Requantize',
    given: object = {},
  ): QuantNode => ({
    op,
    name: 'unary',
    inputs: ['x'],
    output: 'y',
    ...given,
  });
  const values = (si: number, so: number, given: Partial<QuantValue> = {}): QuantValue[] => [
    value('x', [1, 1, 1, 1], { scale: si, zeroPoint: 0 }),
    value('y', [1, 1, 1, 1], { scale: so, ...given }),
  ];
  const at = (graph: QuantGraph, target: string, code: number): number =>
    lowered(graph, target, 'lut')[0]!.table[code + 128]!;

  test('requantize: by the multiplier (tflm), in float32 (onnxruntime), by a shift (pow2)', () => {
    const graph = graphOf(values(0.5, 2), [unary('Requantize')]);
    // 2 * 0.5 / 2 = 0.5: away from zero, to even, up
    expect([2, -2, 6, -6].map((code) => at(graph, 'tflm', code))).toEqual(
      [1, -1, 2, -2].map((v) => v),
    );
    expect([2, -2, 6, -6].map((code) => at(graph, 'onnxruntime', code) + 0)).toEqual([0, 0, 2, -2]);
    expect([2, -2, 6, -6].map((code) => at(graph, 'pow2', code) + 0)).toEqual([1, 0, 2, -1]);
  });

  test('requantize with a clamp', () => {
    const clamp = { lo: Float32Array.of(0), hi: Float32Array.of(6) };
    const graph = graphOf(values(0.5, 0.5, { zeroPoint: -100 }), [unary('Requantize', { clamp })]);
    expect([-5, 5, 100].map((code) => at(graph, 'tflm', code))).toEqual([-100, -95, -88]);
  });

  test.each([['tflm'], ['onnxruntime']])(
    'hard-swish under %s stays within one code of the real one',
    (target) => {
      const graph = graphOf(values(0.05, 0.05), [unary('HardSwish')]);
      const { table } = lowered(graph, target, 'lut')[0]!;
      for (let code = -128; code < 128; ++code) {
        const x = code * Math.fround(0.05);
        const real = (x * Math.min(Math.max(x + 3, 0), 6)) / 6 / Math.fround(0.05);
        expect(Math.abs(table[code + 128]! - real)).toBeLessThan(target === 'tflm' ? 1.01 : 0.501);
      }
    },
  );

  test('hard-swish under tflm, by hand', () => {
    // Scales 2^-4 on both sides; fine scale 2^-11. out = 2^-7: m16 = 2^14, exponent -6.
    // ramp = 2^-11 / (3 / 32768) = 16/3: q = 2/3, m16 = round(2/3 * 2^15) = 21845, exponent 3.
    const graph = graphOf(values(2 ** -4, 2 ** -4), [unary('HardSwish')]);
    // code 16 (x = 1): x = 2048; scaled = 1024; before = 2048 * 4 = 8192;
    // (8192 * 21845 + 2^14) >> 15 = 5461; * 2 = 10922; (10922 + 32768) >> 1 = 21845;
    // trunc(21845 * 1024 / 32768) = 682; 682 / 64 = 10.66 -> 11 (real: 10.67)
    expect(at(graph, 'tflm', 16)).toBe(11);
    // code -24 (x = -1.5): x = -3072; scaled = -1536; before = -12288;
    // (-12288 * 21845 + 2^14) >> 15 = -8192; * 2 = -16384; (16384) >> 1 = 8192;
    // trunc(8192 * -1536 / 32768) = -384; -384 / 64 = -6 (real: -6)
    expect(at(graph, 'tflm', -24)).toBe(-6);
  });

  test('sigmoid and hard-sigmoid', () => {
    const graph = (op: 'Sigmoid' | 'HardSigmoid'): QuantGraph =>
      graphOf(values(0.25, 1 / 256, { zeroPoint: -128 }), [unary(op, { alpha: 1 / 6, beta: 0.5 })]);
    expect([0, 4, 127].map((code) => at(graph('Sigmoid'), 'tflm', code))).toEqual([
      0,
      Math.round(256 / (1 + Math.exp(-1))) - 128,
      127,
    ]);
    expect([-12, 0, 6, 12].map((code) => at(graph('HardSigmoid'), 'tflm', code))).toEqual([
      -128, 0, 64, 127,
    ]);
  });
});

describe('codes that move', () => {
  test('concat brings its inputs to the output scale', () => {
    const values = [
      value('x', [1, 1, 1, 1], { scale: 0.5 }),
      value('y', [1, 2, 1, 1], { scale: 1 }),
    ];
    const program = lower(
      graphOf(values, [{ op: 'Concat', name: 'cat', inputs: ['x', 'x'], output: 'y' }]),
      findTarget('tflm'),
    );
    expect(program.ops.map((op) => op.op)).toContain('lut');
    expect(Array.from(interpret(program, Int8Array.of(10)).outputs[0]!.data)).toEqual([5, 5]);
  });

  test('a reshape that would reorder an image is refused', () => {
    const values = [value('x', [1, 2, 2, 2]), value('y', [1, 4, 2, 1])];
    expect(() =>
      lower(
        graphOf(values, [{ op: 'Reshape', name: 'fold', inputs: ['x'], output: 'y' }]),
        findTarget('tflm'),
      ),
    ).toThrow(/node "fold": reorders an image/);
  });
});

describe('uint8 at the ends of an int8 network', () => {
  const values = [
    value('x', [1, 1, 1, 1], { dtype: 'u8', scale: 0.5, zeroPoint: 128 }),
    value('a', [1, 1, 1, 1], { scale: 0.5 }),
    value('b', [1, 1, 1, 1], { scale: 0.25 }),
    value('y', [1, 1, 1, 1], { dtype: 'u8', scale: 0.25, zeroPoint: 128 }),
  ];
  const change = (from: string, to: string) =>
    ({ op: 'Requantize', name: to, inputs: [from], output: to }) as const;

  test('TFLite Micro changes it', () => {
    const graph = graphOf(values, [change('x', 'a'), change('a', 'b'), change('b', 'y')]);
    const program = lower(graph, findTarget('tflm'));
    const codeOf = (code: number) => interpret(program, Uint8Array.of(code)).outputs[0]!.data[0]!;
    expect([0, 127, 128, 131, 255].map(codeOf)).toEqual([0, 126, 128, 134, 255]);
    expect(() => lower(graph, findTarget('pow2'))).toThrow(/value "x", value "y": is u8/);
  });

  test('and has no layers over it', () => {
    const clamp = { lo: Float32Array.of(0), hi: Float32Array.of(6) };
    const graph = graphOf(values, [
      change('x', 'a'),
      change('a', 'b'),
      { ...change('b', 'y'), clamp },
    ]);
    expect(() => lower(graph, findTarget('tflm'))).toThrow(/value "y": is u8, activations must be/);
  });
});

describe('violations', () => {
  test('all are listed at once, with node and channel', () => {
    const values = [
      value('x', [1, 2, 1, 1], { dtype: 'u8', scale: 0.3, zeroPoint: 5 }),
      value('y', [1, 2, 1, 1], { scale: 0.25 }),
    ];
    const conv = convNode(2, 2, {}, [0.5, 0.3]);
    const graph = graphOf(values, [
      { ...conv, weight: { ...conv.weight, zeroPoints: Int32Array.of(0, 1) } },
    ]);
    const message = ((): string => {
      try {
        lower(graph, findTarget('pow2'));
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(message).toMatch(/^\[target-constraint\] target pow2@1: /);
    for (const part of [
      /value "x": is u8, activations must be s8/,
      /value "x": has a zero point, which must be 0/,
      /value "x": has a scale that is no power of two/,
      /node "conv", channel 1: has a weight zero point/,
      /node "conv", channel 1: has a weight scale that is no power of two/,
      /quantize for this target/,
    ]) {
      expect(message).toMatch(part);
    }
  });

  test('a scale that needs a shift below 1 names its channel', () => {
    const values = [
      value('x', [1, 1, 1, 1], { scale: 1e6 }),
      value('y', [1, 2, 1, 1], { scale: 1e-6 }),
    ];
    expect(() =>
      lower(graphOf(values, [convNode(2, 1, {}, [1e-3, 1])]), findTarget('tflm')),
    ).toThrow(/node "conv": channel 1 needs a shift of -\d+, outside \[1, 62\]/);
  });

  test('a target with one scale per tensor, and one with one activation type', () => {
    const graph = graphOf(
      [value('x', [1, 1, 1, 1]), value('y', [1, 2, 1, 1])],
      [convNode(2, 1, {}, [1, 2])],
    );
    expect(() => lower(graph, findTarget('tflite-u8'))).toThrow(
      /is s8, activations must be u8.*weight scale per channel, which must be one per tensor/,
    );
  });
});

describe('every target', () => {
  const dyadic = (dtype: 'u8' | 's8', unsignedWeights: boolean): QuantGraph => {
    const given = { dtype, scale: 0.5 } as const;
    const values = [
      value('x', [1, 2, 4, 4], given),
      value('y', [1, 2, 4, 4], given),
      value('z', [1, 2, 1, 1], given),
    ];
    const weights = {
      dtype: 's8',
      bits: 8,
      shape: [2, 2, 1, 1],
      scales: Float32Array.of(0.5),
      zeroPoints: Int32Array.of(0),
    } as const;
    const data = Int8Array.of(1, 3, -5, 7);
    const unsigned = {
      ...weights,
      dtype: 'u8',
      data: Uint8Array.from(data, (w) => w + 128),
      zeroPoints: Int32Array.of(128),
    } as const;
    const node = (weight: typeof unsigned | (typeof weights & { data: Int8Array })): QuantGraph =>
      graphOf(values, [
        convNode(2, 2, { weight }),
        { op: 'GlobalAveragePool', name: 'pool', inputs: ['y'], output: 'z' },
      ]);
    return node(unsignedWeights ? unsigned : { ...weights, data });
  };

  test.each(allTargets.map((target) => [target.id, target] as const))(
    '%s lowers and runs, twice the same',
    (_, target) => {
      const type = target.constraints.activations.includes('s8') ? 's8' : 'u8';
      const make = (): QuantGraph => dyadic(type, !target.constraints.weights.includes('s8'));
      const program = lower(make(), target);
      expect(Buffer.compare(encode(program), encode(lower(make(), target)))).toBe(0);
      const codes = Array.from({ length: 32 }, (_, i) => i * 3);
      const run = interpret(
        program,
        type === 's8' ? Int8Array.from(codes) : Uint8Array.from(codes),
        { taps: ['y'] },
      );
      // y = (x0 + 3 * x1) / 2, ties in half of the pixels; first pixel (0, 3): 4.5 and 10.5
      const [first, second] = run.taps.get('y')!.data;
      expect([4, 5]).toContain(first);
      expect([10, 11]).toContain(second);
      expect(run.outputs[0]!.data.length).toBe(2);
    },
  );
});
