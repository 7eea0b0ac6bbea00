// SPDX-License-Identifier: Apache-2.0
// Claims from nets that are made up, so that each verdict is known.
import { experiments, type MeasuredNet, type QuantizedRun } from '../../src/experiment/index.js';

/** Float is right on all of 100 images, the integers on the first `hits` of them. */
function run(scheme: string, hits: number, lost = 0): QuantizedRun {
  return {
    ...{ scheme, target: 't@1', weightBits: 8, recipe: 'naive', steps: [] },
    accuracy: {
      ...{ n: 100, top1: hits, top1Ci95: [0, 100], top5: 100, tiesAtTopPercent: 0 },
      ...{ top1IfTiesCount: hits, float: { top1: 100, top5: 100 } },
      paired: { delta: hits - 100, ci95: [-100, 0], better: 0, worse: 100 - hits, pValue: 1 },
    },
    hits: Array.from({ length: 100 }, (_, i) => (i < hits ? 1 : 0)),
    floatHits: Array<number>(100).fill(1),
    layers: [0, 1, 2].map((i) => ({
      ...{ name: `l${i}`, kind: 'conv', saturatedPercent: 0 },
      ...{ isolatedDb: 40, accumulatedDb: 40 - lost - i },
    })),
  };
}

const layer = (kind: string, precision: number, rangeChange: number, zeroVariance = 0) =>
  ({
    ...{ name: kind, kind, channels: 8, normalization: { zeroVariance, largestAlpha: 1 } },
    weights: {
      ...{ min: -1, max: 1, channelPrecision: precision, constantChannels: 0 },
      perTensor: { medianChannelDb: 40, lostChannels: 0 },
    },
    activations: { min: 0, max: 6, channelPrecision: precision, constantChannels: 0, rangeChange },
  }) as unknown as MeasuredNet['layers'][number];

const net = (
  name: string,
  layers: MeasuredNet['layers'],
  runs: readonly QuantizedRun[],
): MeasuredNet => ({ name, file: `${name}.onnx`, sha256: '', layers, runs });

const resultOf = (experiment: string, nets: readonly MeasuredNet[]) => {
  const { claims } = experiments.find(({ name }) => name === experiment)!.resultOf(nets);
  return Object.fromEntries(claims.map(({ id, verdict }) => [id, verdict]));
};

test('Yun and Wong: a separable net that is worse in all, and the reverse', () => {
  const separable = net(
    'separable',
    [layer('depthwise', 0.1, 4), layer('depthwise', 0.12, 0.2), layer('pointwise', 0.2, 5)],
    [run('8 bits', 40, 20), run('5 bits', 10), run('4 bits', 50)],
  );
  const regular = net(
    'regular',
    [
      layer('convolution', 0.8, 1),
      layer('convolution', 0.85, 1.1),
      layer('convolution', 0.9, 1.05),
    ],
    [run('8 bits', 95, 1), run('5 bits', 90), run('4 bits', 50)],
  );
  expect(resultOf('yun-wong', [separable, regular])).toEqual({
    'loss-8-bits': 'shown',
    'loss-5-bits': 'shown',
    'loss-4-bits': 'undecided',
    'range-fluctuation': 'shown',
    'channel-mismatch-weights': 'shown',
    'channel-mismatch-activations': 'shown',
    accumulation: 'shown',
  });
  const better = {
    ...separable,
    runs: [run('8 bits', 99, 1), run('5 bits', 99), run('4 bits', 99)],
  };
  const worse = { ...regular, runs: [run('8 bits', 20, 30), run('5 bits', 20), run('4 bits', 20)] };
  expect(resultOf('yun-wong', [better, worse])).toMatchObject({
    'loss-8-bits': 'refuted',
    'loss-4-bits': 'refuted',
    accumulation: 'refuted',
  });
  expect(new Set(Object.values(resultOf('yun-wong', [separable])))).toEqual(new Set(['undecided']));
});

test('Sheng: collapse, repair, and the rungs of the ladder', () => {
  const block = (name: string, eight: number, repaired: number, four: number) =>
    net(
      name,
      [layer('depthwise', 0.1, 1, 3)],
      [run('8 bits', eight), run('8 bits repaired', repaired), run('4 bits', four)],
    );
  const nets = [
    block('separable', 3, 60, 10),
    block('sheng_inner', 60, 60, 40),
    block('sheng', 95, 95, 40),
  ];
  expect(resultOf('sheng', nets)).toEqual({
    collapse: 'shown',
    'variance-repair': 'shown',
    'changed-block-8-bits': 'shown',
    'changed-block-4-bits': 'shown',
    'step-sheng-inner': 'shown',
    'step-sheng': 'undecided',
  });
  expect(resultOf('sheng', [block('separable', 98, 98, 90)])).toMatchObject({
    collapse: 'refuted',
    'variance-repair': 'undecided',
    'changed-block-8-bits': 'undecided',
  });
});

test('Bae: quantizers against each other, and what needs training stays open', () => {
  const scores = {
    'least squares': 40,
    'least squares + search': 60,
    'least squares + search, weighted': 60,
    'least squares + search, outliers masked': 20,
    'gradient, up': 50,
    'gradient, lower error': 70,
    'gradient, lower error, weighted': 80,
  };
  const runs = Object.entries(scores).map(([scheme, hits]) => run(scheme, hits));
  expect(resultOf('bae', [net('separable', [], runs)])).toEqual({
    search: 'shown',
    'weighting-msqe': 'undecided',
    'outlier-mask': 'refuted',
    'msqe-rounding': 'shown',
    'weighting-gradient': 'shown',
    families: 'shown',
    'trained-gradient': 'undecided',
    'trained-msqe': 'undecided',
    'trained-families': 'undecided',
    'trained-exact': 'undecided',
    'trained-stability': 'undecided',
    'imagenet-gain': 'undecided',
  });
});

describe('Bae: trainings', () => {
  /** Right on the first `hits` of 100 images; `other` answers are not PyTorch's. */
  const trained = (method: string, seed: number, hits: number, other = 0, flips = 0) => ({
    ...{ net: 'separable', method, weightBits: 3, seed, flips },
    ...{ untrainedTop1: 10, pytorchTop1: hits },
    hits: Array.from({ length: 100 }, (_, i) => (i < hits ? 1 : 0)),
    differing: Array.from({ length: 100 }, (_, i) => (i < other ? 1 : 0)),
  });
  const bae = experiments.find(({ name }) => name === 'bae')!;
  const verdicts = (runs: readonly ReturnType<typeof trained>[]) =>
    new Map(bae.resultOf([], runs).claims.map((claim) => [claim.id, claim]));

  test('pairs of seeds decide, one seed does not', () => {
    const runs = [1, 2, 3].flatMap((seed) => [
      trained('gradient', seed, 70 + seed),
      trained('gradient_improved', seed, 75 + 2 * seed),
      trained('msqe', seed, 90),
      trained('msqe_improved', seed, 80 + seed),
    ]);
    const all = verdicts(runs);
    expect(all.get('trained-gradient')).toMatchObject({ verdict: 'shown', value: 7 });
    expect(all.get('trained-msqe')).toMatchObject({ verdict: 'refuted', value: -8 });
    expect(all.get('trained-families')).toMatchObject({ verdict: 'refuted', value: -11 });
    const one = verdicts(runs.filter(({ seed }) => seed === 1));
    expect(one.get('trained-gradient')).toMatchObject({ verdict: 'undecided', value: null });
  });

  test('another width or net is no pair', () => {
    const all = verdicts([
      trained('gradient', 1, 70),
      trained('gradient', 2, 71),
      { ...trained('gradient_improved', 1, 75), weightBits: 4 },
      { ...trained('gradient_improved', 2, 77), net: 'inverted' },
    ]);
    expect(all.get('trained-gradient')).toMatchObject({ verdict: 'undecided', value: null });
  });

  test("every answer that is not PyTorch's counts, and every change of an exponent", () => {
    const exact = verdicts([trained('msqe', 1, 70)]);
    expect(exact.get('trained-exact')).toMatchObject({ verdict: 'shown', value: 0 });
    expect(exact.get('trained-stability')).toMatchObject({ verdict: 'refuted', value: 0 });
    const other = verdicts([trained('msqe', 1, 70, 2, 5), trained('msqe', 2, 70, 1, 7)]);
    expect(other.get('trained-exact')).toMatchObject({ verdict: 'refuted', value: 3 });
    expect(other.get('trained-stability')).toMatchObject({ verdict: 'shown', value: 6 });
  });
});
