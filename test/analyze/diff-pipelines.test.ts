// SPDX-License-Identifier: Apache-2.0
// Causes between pipelines of several stages, and between them and plain multipliers.
import type { LayerDifference } from '../../src/analyze/index.js';
import { findTarget } from '../../src/targets/index.js';
import type { ScaleCode, StepForm, TargetSpec } from '../../src/targets/target.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';
import { changed, convGraph, diff, everyCode, image, node, only, plain } from './target-diffs.js';

type Scale = Extract<StepForm, { kind: 'scale' }>;

const scale = (given: Partial<Scale> = {}): Scale => ({
  kind: 'scale',
  bits: 31,
  greatestShift: 62,
  encode: 'halfAway',
  rule: 'halfUp',
  commonShift: false,
  ...given,
});

/** tflm, but with this code everywhere. */
const coded = (id: string, code: ScaleCode): TargetSpec => changed('tflm', `${id}@1`, { code });
const staged = (id: string, ...steps: StepForm[]): TargetSpec =>
  coded(id, { kind: 'staged', steps });

/** Accumulators times this factor. */
const scaledBy = (factor: number, given = {}) =>
  convGraph(1, {
    weight: { ...convNode(1, 1).weight, scales: Float32Array.of(factor) },
    ...given,
  });

/** Both ways, so that pipelines are left and entered; all differ in some code. */
async function causeOf(
  graph: Parameters<typeof diff>[0],
  a: TargetSpec,
  b: TargetSpec,
): Promise<NonNullable<ReturnType<typeof only>['cause']>> {
  const [there, back] = await Promise.all(
    [
      [a, b],
      [b, a],
    ].map((pair) => diff(graph, pair, everyCode)),
  );
  const [one, other] = [there, back].map((layers) => only(layers as LayerDifference[]));
  expect(one!.isolated.differing).toBeGreaterThan(0);
  expect(other!.isolated).toEqual(one!.isolated);
  expect(other!.cause!.text.split(' + ').sort()).toEqual(one!.cause!.text.split(' + ').sort());
  expect(other!.cause!.alone).toBe(one!.cause!.alone);
  return one!.cause!;
}

describe('pipelines against plain multipliers', () => {
  test('the same multiplier in a stage: no difference', async () => {
    const layers = await diff(scaledBy(0.25), [plain('halfUp'), staged('s', scale())], everyCode);
    expect(only(layers)).toMatchObject({ isolated: { differing: 0 }, cause: null });
  });

  test('tie rounding of the stage', async () => {
    const away = staged('away', scale({ rule: 'halfAway' }));
    const cause = await causeOf(scaledBy(0.5), plain('halfUp'), away);
    expect(cause).toMatchObject({ text: 'tie rounding', alone: true });
    expect(cause.steps.map(({ changed: count }) => count)).toEqual([64]);
  });

  test('multiplier of 8 bits', async () => {
    const cause = await causeOf(scaledBy(0.7), plain('halfUp'), staged('n', scale({ bits: 8 })));
    expect(cause).toMatchObject({ text: 'multiplier recipe', alone: true });
    expect(cause.steps[0]!.detail).toBe('multipliers of 31 to 7 bits');
  });

  test('stage saturation, before the multiplier', async () => {
    const narrow = staged('n', { kind: 'saturate', bits: 6 }, scale());
    const cause = await causeOf(scaledBy(0.5), plain('halfUp'), narrow);
    expect(cause).toMatchObject({ text: 'stage saturation', alone: true });
    expect(cause.steps).toEqual([
      {
        ingredient: 'stage saturation',
        detail: 'unbounded values, to values saturated to 6 bits',
        changed: 190,
      },
    ]);
  });

  test('two roundings for one', async () => {
    // x / 4 in steps of 1/2: 1/4 becomes 1/2 first, and that becomes 1.
    const inner = scale({ bits: 8, innerBits: 8, rule: 'halfUp' });
    const twice = staged('twice', inner, scale());
    const cause = await causeOf(scaledBy(0.25), plain('halfUp'), twice);
    expect(cause).toMatchObject({ text: 'staged rounding', alone: true });
  });

  test('a bias in the stages, cut to the inner scale', async () => {
    const bias = Int32Array.of(1);
    const graph = scaledBy(2 ** -3, { bias });
    const inner = scale({ bits: 16, innerBits: 6 });
    const twice = staged('with', inner, { kind: 'bias' }, scale());
    const cause = await causeOf(graph, plain('halfUp'), twice);
    expect(cause.steps.map(({ ingredient }) => ingredient)).toEqual([
      'staged rounding',
      'bias alignment',
    ]);
    expect(cause.steps[1]!.changed).toBeGreaterThan(0);
  });

  test('a bias behind the accumulator is the same bias', async () => {
    const graph = scaledBy(0.5, { bias: Int32Array.of(33) });
    const behind = staged('behind', { kind: 'bias' }, scale({ rule: 'halfAway' }));
    const cause = await causeOf(graph, plain('halfUp'), behind);
    expect(cause).toMatchObject({ text: 'tie rounding', alone: true });
    expect(cause.steps.map(({ ingredient, changed: count }) => [ingredient, count > 0])).toEqual([
      ['tie rounding', true],
      ['bias alignment', false],
    ]);
  });

  test('each turn of a pipeline is a step, whatever terms its multiplier is in', async () => {
    const graph = scaledBy(0.5, { bias: Int32Array.of(33) });
    const steps: StepForm[] = [{ kind: 'bias' }, { kind: 'saturate', bits: 6 }, scale()];
    const cause = await causeOf(graph, plain('halfUp'), staged('turns', ...steps));
    expect(cause.steps.map(({ ingredient }) => ingredient)).toEqual([
      'bias alignment',
      'stage saturation',
    ]);
    expect(cause).toMatchObject({ text: 'stage saturation', alone: true });
  });

  test('bias alignment: registers in steps of 16', async () => {
    const graph = convGraph(2, { bias: Int32Array.of(23) });
    const narrow = changed('tflm', 'b@1', {
      bias: { bits: 16, overflow: 'refuse', shift: 4, rule: 'floor' },
    });
    const cause = await causeOf(graph, findTarget('tflm'), narrow);
    expect(cause).toMatchObject({ text: 'bias alignment', alone: true });
    expect(cause.steps[0]!.detail).toBe('a bias in steps of 1 to 16');
  });

  test('piecewise lines: the start of a line, rounded', async () => {
    // The least code, -128 / 0.7, lies at an accumulator of -182.86: the line starts at -183.
    const lines = staged('lines', {
      kind: 'segments',
      bits: 31,
      greatestShift: 62,
      encode: 'halfAway',
      rule: 'halfUp',
    });
    const graph = scaledBy(0.7);
    const cause = await causeOf(graph, plain('halfUp'), lines);
    expect(cause).toMatchObject({ text: 'piecewise lines', alone: true });
  });

  test('thresholds tie like half up, and have no multiplier', async () => {
    const ladder = coded('ladder', { kind: 'thresholds', rule: 'halfUp' });
    const ties = await causeOf(scaledBy(0.5), plain('halfAway'), ladder);
    expect(ties).toMatchObject({ text: 'tie rounding', alone: true });
    expect(ties.steps.map(({ changed: count }) => count).sort()).toEqual([0, 64]);
    const down = coded('down', { kind: 'thresholds', rule: 'halfDown' });
    const other = await causeOf(scaledBy(0.5), plain('halfUp'), down);
    expect(other.steps[0]).toMatchObject({ detail: 'halfUp to halfDown', changed: 128 });
    const narrow = coded('n', { kind: 'q31', rule: 'halfUp', multiplierBits: 8 });
    const cause = await causeOf(scaledBy(0.7), narrow, ladder);
    expect(cause).toMatchObject({ text: 'thresholds', alone: true });
    const equal = await diff(scaledBy(0.7), [plain('halfUp'), ladder], everyCode);
    expect(only(equal)).toMatchObject({ isolated: { differing: 0 }, cause: null });
  });
});

describe('pipelines of the same stages', () => {
  const both = (bits: number, given: Partial<Scale>): StepForm[] => [
    scale(given),
    { kind: 'saturate', bits },
  ];

  test.each([
    ['tie rounding', both(17, { rule: 'halfAway' })],
    ['rounding rule', both(17, { rule: 'floor' })],
    ['stage saturation', both(5, {})],
  ])('%s', async (text, steps) => {
    const base = staged('base', ...both(17, {}));
    expect(await causeOf(scaledBy(0.5), base, staged('other', ...steps))).toMatchObject({
      text,
      alone: true,
    });
  });

  test('multiplier recipe', async () => {
    const base = staged('base', ...both(17, {}));
    const graph = scaledBy(0.7);
    const other = staged('other', ...both(17, { bits: 8 }));
    const cause = await causeOf(graph, base, other);
    expect(cause).toMatchObject({ text: 'multiplier recipe', alone: true });
  });

  test('thresholds', async () => {
    const [up, down] = (['halfUp', 'halfDown'] as const).map((rule) =>
      coded(rule, { kind: 'thresholds', rule }),
    ) as [TargetSpec, TargetSpec];
    expect(await causeOf(scaledBy(0.5), up, down)).toMatchObject({ text: 'thresholds' });
  });
});

describe('float32 with a rule', () => {
  const float = (rule: 'halfAway' | 'halfUp' | 'halfEven' | 'addHalfFloor'): TargetSpec =>
    coded(`f32-${rule}`, { kind: 'f32Rule', rule });

  test('against float32 and against another rule: ties', async () => {
    const even = coded('f32', { kind: 'f32' });
    for (const pair of [
      [even, float('halfAway')],
      [float('addHalfFloor'), float('halfAway')],
      [plain('halfUp'), float('halfAway')],
    ] as const) {
      const cause = await causeOf(scaledBy(0.5), ...pair);
      expect(cause).toMatchObject({ text: 'tie rounding', alone: true });
    }
    const equal = await diff(scaledBy(0.5), [even, float('halfEven')], everyCode);
    expect(only(equal).cause).toBeNull();
  });

  test('f32(r + 0.5) reaches 1 from just below a half', async () => {
    // The greatest float32 below 1/2 as the factor of code 1: its sum with 1/2 is a tie, to even.
    const graph = scaledBy(0.5 - 2 ** -25);
    const cause = await causeOf(graph, float('halfUp'), float('addHalfFloor'));
    expect(cause).toMatchObject({ text: 'tie rounding', alone: true });
    const exact = await causeOf(graph, plain('halfUp'), float('addHalfFloor'));
    expect(exact).toMatchObject({ text: 'float requantization', alone: true });
  });
});

describe('weighted sums', () => {
  const sum = (scaleA: number, scaleB: number, out: number) =>
    graphOf(
      [image('x', { scale: scaleA }), image('z', { scale: scaleB }), image('y', { scale: out })],
      [node({ op: 'HardSwish', name: 'z', output: 'z' }), node({ op: 'Add', inputs: ['x', 'z'] })],
    );
  const weighted = (id: string, bits: number, code: ScaleCode): TargetSpec =>
    changed('tflm', `${id}@1`, { add: { kind: 'weighted', bits, code } });
  const q31 = (rule: 'halfUp' | 'halfAway'): ScaleCode => ({ kind: 'q31', rule });
  const last = (layers: readonly LayerDifference[]) => layers.at(-1)!.others[0]!;

  test('their rounding, their weights, their saturation', async () => {
    const base = weighted('base', 16, q31('halfUp'));
    const found = async (graph: ReturnType<typeof sum>, other: TargetSpec) =>
      last(await diff(graph, [base, other], everyCode)).cause;
    expect(await found(sum(1, 1, 2), weighted('t', 16, q31('halfAway')))).toMatchObject({
      text: 'tie rounding',
      alone: true,
    });
    expect(await found(sum(1, 0.3, 1.3), weighted('w', 4, q31('halfUp')))).toMatchObject({
      text: 'multiplier recipe',
      alone: true,
    });
    const saturating: ScaleCode = {
      kind: 'staged',
      steps: [scale(), { kind: 'saturate', bits: 6 }],
    };
    expect(await found(sum(1, 1, 2), weighted('s', 16, saturating))).toMatchObject({
      text: 'stage saturation',
      alone: true,
    });
  });

  test('against three roundings: the form, and apart from it the saturation', async () => {
    const saturating: ScaleCode = {
      kind: 'staged',
      steps: [scale(), { kind: 'saturate', bits: 6 }],
    };
    const targets = [findTarget('tflm'), weighted('s', 16, saturating)];
    for (const pair of [targets, targets.toReversed()]) {
      const { cause } = last(await diff(sum(1, 0.3, 1.3), pair, everyCode));
      expect(cause!.text).toContain('stage saturation');
      expect(cause!.steps.map(({ ingredient }) => ingredient).sort()).toEqual([
        'add form',
        'stage saturation',
      ]);
    }
  });
});

test('means: float32 windows and two reciprocals are pool rounding', async () => {
  const window = { kernel: [3, 3], strides: [1, 1], pads: [0, 0, 0, 0], countIncludePad: false };
  const graph = graphOf(
    [image('x'), value('y', [1, 1, 14, 14])],
    [node({ op: 'AveragePool', ...window })],
  );
  const pooled = (averagePool: TargetSpec['arithmetic']['averagePool'], id: string) =>
    changed('tflm', `${id}@1`, { averagePool });
  const two = pooled({ kind: 'twoReciprocals', bits: 6, greatestSide: 8, rule: 'halfAway' }, 'two');
  const exact = pooled({ kind: 'reciprocal', bits: 16, rule: 'halfUp' }, 'exact');
  const window32 = pooled({ kind: 'f32Window' }, 'window');
  const apart = only(await diff(graph, [exact, two], everyCode)).cause;
  expect(apart!.text).toBe('pool rounding');
  expect(apart!.steps.map(({ detail }) => detail)).toContainEqual(
    expect.stringMatching(/^staged rounding: /),
  );
  const float = only(await diff(graph, [two, window32], everyCode)).cause;
  expect(float).toMatchObject({
    text: 'pool rounding',
    steps: [{ detail: 'requant stages to f32Window' }],
  });
});

test('operations that only one side has: a table behind a mean', async () => {
  const graph = graphOf(
    [image('x'), value('m', [1, 1, 1, 1], { scale: 0.4 }), value('y', [1, 1, 1, 1])],
    [
      node({ op: 'GlobalAveragePool', name: 'mean', output: 'm' }),
      convNode(1, 1, { inputs: ['m'] }),
    ],
  );
  const two = changed('tflm', 'two@1', {
    globalPool: { kind: 'twoReciprocals', bits: 16, greatestSide: 16, rule: 'halfAway' },
  });
  const codes = everyCode.map((code) => (code < 0 ? 0 : code));
  const there = await diff(graph, [findTarget('tflm'), two], codes);
  // The sum 8128 / 256 = 31.75 becomes 32 = 80 * 0.4 with a table behind it, without one 79.4.
  expect(there.map(({ name }) => name)).toEqual(['x', 'mean', 'conv']);
  expect(there[1]!.others[0]).toMatchObject({
    isolated: { elements: 1, differing: 1, maxLsb: 1 },
    cause: {
      text: 'pool rounding',
      alone: true,
      steps: [{ detail: 'averagePool to averagePool, lut', changed: 1 }],
    },
  });
  expect(there[2]!.others[0]).toMatchObject({ isolated: { elements: 1, differing: 0 } });
  const back = await diff(graph, [two, findTarget('tflm')], codes);
  expect(back.map(({ name }) => name)).toEqual(['x', 'mean/mean', 'mean', 'conv']);
  expect(back[1]!.others[0]).toMatchObject({ isolated: { elements: 0 }, cause: null });
});
