// SPDX-License-Identifier: Apache-2.0
// Small graphs in which each ingredient of the arithmetic is what makes two targets part.
import { findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';
import { changed, convGraph, diff, everyCode, image, node, only, plain } from './target-diffs.js';

describe('causes, each provoked', () => {
  test('equal arithmetic: no difference, no cause', async () => {
    const layers = await diff(convGraph(2), [plain('halfUp'), plain('halfUp')], everyCode);
    expect(only(layers)).toMatchObject({
      isolated: { elements: 256, differing: 0, maxLsb: 0 },
      accumulated: { differing: 0 },
      cause: null,
    });
  });

  test('tie rounding: of x / 2 all odd negative codes', async () => {
    const layers = await diff(convGraph(2), [plain('halfUp'), plain('halfAway')], everyCode);
    const { isolated, accumulated, cause } = only(layers);
    expect(isolated).toEqual({ elements: 256, differing: 64, maxLsb: 1 });
    expect(accumulated).toEqual(isolated);
    expect(cause).toMatchObject({ text: 'tie rounding', alone: true });
    expect(cause!.steps.map(({ changed: count }) => count)).toEqual([64]);
  });

  test('a rule that is no rounding to nearest', async () => {
    const { cause } = only(await diff(convGraph(2), [plain('floor'), plain('halfUp')], everyCode));
    expect(cause).toMatchObject({ text: 'rounding rule', alone: true });
  });

  test('double rounding and ties are told apart', async () => {
    // x / 4: gemmlowp lifts 1/4 to 1/2 first (32 codes), and takes negative ties away from 0 (32).
    const graph = convGraph(4);
    const both = only(await diff(graph, [findTarget('tflm'), plain('halfUp')], everyCode));
    expect(both.isolated).toEqual({ elements: 256, differing: 64, maxLsb: 1 });
    expect(both.cause).toMatchObject({ text: 'double rounding + tie rounding', alone: false });
    expect(both.cause!.steps.map((step) => step.changed)).toEqual([32, 32]);
    // The other way round, the same steps backwards.
    const back = only(await diff(graph, [plain('halfUp'), findTarget('tflm')], everyCode));
    expect(back.cause!.steps.map((step) => step.ingredient)).toEqual([
      'tie rounding',
      'double rounding',
    ]);
    // +-64 / 129 = 0.49612 lies less than 1/256 below a half; nothing is a tie.
    const weight = { ...convNode(1, 1).weight, scales: Float32Array.of(1 / 129) };
    const near = convGraph(1, { weight });
    const found = only(await diff(near, [findTarget('tflm'), plain('halfUp')], everyCode));
    expect(found.isolated).toEqual({ elements: 256, differing: 2, maxLsb: 1 });
    expect(found.cause).toMatchObject({ text: 'double rounding', alone: true });
    expect(found.cause!.steps.map((step) => step.changed)).toEqual([2, 0]);
  });

  test('multiplier recipe: a multiplier of 8 bits', async () => {
    const narrow = changed('tflm', 'narrow@1', {
      code: { kind: 'q31', rule: 'halfUp', multiplierBits: 8 },
    });
    const graph = convGraph(1, {
      weight: { ...convNode(1, 1).weight, scales: Float32Array.of(0.7) },
    });
    const { cause, isolated } = only(await diff(graph, [plain('halfUp'), narrow], everyCode));
    expect(isolated.differing).toBeGreaterThan(0);
    expect(cause).toMatchObject({ text: 'multiplier recipe', alone: true });
    expect(cause!.steps[0]!.detail).toBe('multipliers of 31 to 7 bits');
  });

  test('float requantization: sums above 2^24 lose bits', async () => {
    // 127 * 127 * 1040 terms are about 2^24; a scale of 2^-17 puts neighbours onto a tie.
    const inputs = 1100;
    const x = value('x', [1, inputs, 1, 1]);
    const y = value('y', [1, 1, 1, 1], { scale: 2 ** 18, zeroPoint: 0 });
    const weight = {
      ...convNode(1, inputs).weight,
      data: new Int8Array(inputs).fill(127),
      shape: [1, inputs, 1, 1],
    };
    // The sum is 64.5 * 2^18 + 1: above a tie exactly, on it in float32.
    const goal = 64.5 * 2 ** 18 + 1;
    const codes = new Int8Array(inputs).fill(127);
    const bias = Int32Array.of(goal - 127 * 127 * inputs);
    const graph = graphOf([x, y], [convNode(1, inputs, { weight, bias })]);
    const exact = plain('halfEven');
    const float = changed('tflm', 'float@1', { product: 'f32', code: { kind: 'f32' } });
    for (const [a, b] of [
      [exact, float],
      [float, exact],
    ] as const) {
      const { cause, isolated } = only(await diff(graph, [a, b], codes));
      expect(isolated).toEqual({ elements: 1, differing: 1, maxLsb: 1 });
      expect(cause).toMatchObject({ text: 'float requantization', alone: true });
    }
  });

  test('a combination is called one', async () => {
    // Ties move by the rule, other codes by the multiplier.
    const both = changed('tflm', 'both@1', {
      code: { kind: 'q31', rule: 'halfAway', multiplierBits: 8 },
    });
    const weight = {
      ...convNode(2, 1).weight,
      scales: Float32Array.of(0.5, 0.7),
      zeroPoints: new Int32Array(2),
    };
    const graph = graphOf([image('x'), value('y', [1, 2, 16, 16])], [convNode(2, 1, { weight })]);
    const { cause } = only(await diff(graph, [plain('halfUp'), both], everyCode));
    expect(cause).toMatchObject({ alone: false });
    expect(cause!.text.split(' + ').sort()).toEqual(['multiplier recipe', 'tie rounding']);
  });

  test('accumulator overflow, and the trap of one side', async () => {
    const weight = { ...convNode(1, 1).weight, data: Int8Array.of(127) };
    const bias = Int32Array.of(30000);
    const graph = convGraph(512, { weight, bias });
    const narrow = (overflow: 'wrap' | 'saturate' | 'trap') =>
      changed('tflm-single', `${overflow}@1`, {
        accumulator: { bits: 16, overflow, when: 'end', products: 'exact', biasFirst: false },
      });
    const wide = findTarget('tflm-single');
    for (const overflow of ['wrap', 'saturate'] as const) {
      const { cause, isolated } = only(await diff(graph, [wide, narrow(overflow)], everyCode));
      expect(isolated.differing).toBeGreaterThan(0);
      expect(cause).toMatchObject({ text: 'accumulator overflow', alone: true });
    }
    for (const pair of [
      [wide, narrow('trap')],
      [narrow('trap'), wide],
    ]) {
      const { cause, isolated, accumulated, trap } = only(await diff(graph, pair, everyCode));
      expect([isolated.differing, accumulated.differing]).toEqual([256, 256]);
      expect(cause).toMatchObject({ text: 'accumulator overflow', alone: true });
      // 30000 + 127 * 22 is the first sum above 32767.
      expect(trap).toEqual({ layer: 'conv', element: 22 + 128, value: 32794n });
    }
    const equal = only(
      await diff(graph, [narrow('trap'), { ...narrow('trap'), id: 'b@1' }], everyCode),
    );
    expect(equal).toMatchObject({ isolated: { differing: 0 }, cause: null });
  });

  test('pair saturation', async () => {
    const x = value('x', [1, 2, 1, 1], { dtype: 'u8' });
    const y = value('y', [1, 1, 1, 1], { dtype: 'u8', scale: 512 });
    const weight = { ...convNode(1, 2).weight, data: Int8Array.of(127, 127) };
    const graph = graphOf([x, y], [convNode(1, 2, { weight })]);
    const targets = ['onnxruntime', 'onnxruntime-avx2'].map(findTarget);
    const { cause, isolated } = only(await diff(graph, targets, Uint8Array.of(255, 255)));
    // 2 * 255 * 127 = 64770 becomes 32767: 126.5 (to even: 126) and 64.
    expect(isolated).toEqual({ elements: 1, differing: 1, maxLsb: 63 });
    expect(cause).toMatchObject({ text: 'pair saturation', alone: true });
  });

  test('clamp encoding', async () => {
    // 5 / 2 = 2.5: half away 3, half even 2.
    const clamp = { lo: Float32Array.of(0), hi: Float32Array.of(5) };
    const even = changed('tflm', 'even@1', { clampRounding: 'halfEven' });
    const graph = convGraph(2, { clamp });
    const { cause, isolated } = only(await diff(graph, [findTarget('tflm'), even], everyCode));
    expect(isolated.maxLsb).toBe(1);
    expect(cause).toMatchObject({ text: 'clamp encoding', alone: true });
  });

  test('bias width', async () => {
    const narrow = changed('tflm', 'b@1', { bias: { bits: 8, overflow: 'saturate' } });
    const graph = convGraph(2, { bias: Int32Array.of(150) });
    const { cause } = only(await diff(graph, [findTarget('tflm'), narrow], everyCode));
    expect(cause).toMatchObject({ text: 'bias width', alone: true });
  });
});

describe('other operations', () => {
  test('add form', async () => {
    const graph = graphOf(
      [image('x', { scale: 0.3 }), image('y', { scale: 0.61 })],
      [node({ op: 'Add', inputs: ['x', 'x'] })],
    );
    const targets = [
      findTarget('tflm'),
      changed('tflm', 'a@1', { add: { kind: 'aligned', bits: 3, rule: 'floor' } }),
    ];
    const { cause } = only(await diff(graph, targets, everyCode));
    expect(cause).toMatchObject({ text: 'add form', alone: true });
  });

  test('pool rounding', async () => {
    const window = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], countIncludePad: false };
    const graph = graphOf(
      [image('x'), value('y', [1, 1, 8, 8])],
      [node({ op: 'AveragePool', ...window })],
    );
    const half = (s8: 'halfAway' | 'halfUp' | 'trunc0') =>
      changed('tflm', `${s8}@1`, { averagePool: { kind: 'divide', s8, u8: s8 } });
    const codes = Int8Array.from({ length: 256 }, (_, i) => (i % 3) - 5);
    const { cause } = only(await diff(graph, [half('halfAway'), half('trunc0')], codes));
    expect(cause).toMatchObject({ text: 'pool rounding', alone: true });
  });

  test('softmax form and function form', async () => {
    // Two classes, all differences; this scale is the first multiple of 2^-13 where the forms part.
    const x = value('x', [1, 2, 256, 1], { scale: 2 ** -10 });
    const y = value('y', [1, 2, 256, 1], { scale: 1 / 256, zeroPoint: -128 });
    const codes = Int8Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? 127 : 127 - (i >> 1)));
    const soft = graphOf([x, y], [node({ op: 'Softmax', beta: 1 })]);
    const table = changed('tflm', 's@1', {
      softmax: { kind: 'f32Table', s8: 'truncHalf', u8: 'truncHalf' },
    });
    const { cause, isolated } = only(await diff(soft, [findTarget('tflm'), table], codes));
    expect(isolated).toEqual({ elements: 512, differing: 1, maxLsb: 1 });
    expect(cause).toMatchObject({ text: 'softmax form', alone: true });
    const swish = graphOf(
      [image('x', { scale: 0.05 }), image('y', { scale: 0.04 })],
      [node({ op: 'HardSwish' })],
    );
    const { unary } = findTarget('tflm').arithmetic;
    const float = changed('tflm', 'h@1', { unary: { ...unary, hardSwish: 'f32HalfEven' } });
    const other = only(await diff(swish, [findTarget('tflm'), float], everyCode));
    expect(other.cause).toMatchObject({ text: 'function form', alone: true });
  });

  test('input quantization comes first, and layers alone are still equal', async () => {
    const codes = [everyCode, everyCode.map((code) => Math.min(code + 1, 127))];
    const layers = await diff(
      convGraph(1),
      [plain('halfUp'), { ...plain('halfUp'), id: 'c@1' }],
      codes,
    );
    expect(layers[0]).toMatchObject({ op: 'input', name: 'x' });
    expect(layers[0]!.others[0]).toMatchObject({
      accumulated: { differing: 255, maxLsb: 1 },
      cause: { text: 'input quantization' },
    });
    expect(only(layers)).toMatchObject({
      isolated: { differing: 0 },
      accumulated: { differing: 255 },
    });
  });

  test('behind a difference, layers are judged alone and in the net', async () => {
    const values = [image('x'), image('y', { scale: 2 }), image('z', { scale: 2 })];
    const second = convNode(1, 1, { name: 'second', inputs: ['y'], output: 'z' });
    const graph = graphOf(values, [convNode(1, 1), second]);
    const layers = await diff(graph, [plain('halfUp'), plain('halfAway')], everyCode);
    expect(layers.map(({ name }) => name)).toEqual(['x', 'conv', 'second']);
    expect(layers[2]!.others[0]).toMatchObject({
      isolated: { differing: 0 },
      accumulated: { differing: 64 },
      cause: null,
    });
  });
});
