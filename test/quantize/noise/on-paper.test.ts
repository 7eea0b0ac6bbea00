// SPDX-License-Identifier: Apache-2.0
// The noise model on a network whose figures fit on paper:
//
//   x [1, 1, 2, 2]  -a: W = [2, -1], ReLU->  a/y [1, 2, 2, 2]  -mean of 4->  pool/y [1, 2, 1, 1]
//     -b: W = [3, 1]->  b/y [1, 1, 1, 1]
//
// Half of the values of a's second channel pass the ReLU, all of the first.
import { noiseShares } from '../../../src/analyze/distributions/noise-shares.js';
import type { ChannelRange } from '../../../src/calibrate/observers/range.js';
import type { Statistics } from '../../../src/calibrate/statistics.js';
import type { Graph } from '../../../src/graph/graph.js';
import { channelGroups } from '../../../src/quantize/equalize/channel-groups.js';
import { noiseTerms } from '../../../src/quantize/equalize/noise-terms.js';
import { noiseModel } from '../../../src/quantize/noise/noise-model.js';
import { valueCosts } from '../../../src/quantize/noise/value-costs.js';
import { GraphBuilder } from '../small-graphs.js';

function paperNet(): Graph {
  const builder = new GraphBuilder([1, 1, 2, 2]);
  const relu = { lo: Float32Array.of(0), hi: Float32Array.of(Infinity) };
  const pooled = builder.globalPool('pool', builder.conv('a', 'x', { outputs: 2, clamp: relu }));
  const output = builder.conv('b', pooled, { outputs: 1 });
  builder.constant('a/w', [2, 1, 1, 1], Float32Array.of(2, -1));
  builder.constant('b/w', [1, 2, 1, 1], Float32Array.of(3, 1));
  return builder.graph(output);
}

const active = new Map([['a/y', Float64Array.of(1, 0.5)]]);

const range = (min: number[], max: number[]): ChannelRange => ({
  min: Float32Array.from(min),
  max: Float32Array.from(max),
  reach: Float32Array.from(max),
});

/** Ranges whose 8-bit steps are 1/127 for x, 2/127 for a/y and pool/y. */
const statistics: Statistics = {
  images: 1,
  range: new Map(),
  histogram: new Map(),
  weightedHistogram: new Map(),
  each: new Map(),
  tail: new Map(),
  active,
  moments: new Map([
    ['x', { count: 1, mean: Float64Array.of(0), variance: Float64Array.of(1) }],
    ['pool/y', { count: 1, mean: Float64Array.of(1, 0), variance: Float64Array.of(0, 1) }],
  ]),
  channelRange: new Map([
    ['x', range([-100 / 127], [155 / 127])],
    ['a/y', range([0, 0], [510 / 127, 51 / 127])],
    ['pool/y', range([0, 0], [510 / 127, 51 / 127])],
    ['b/y', range([0], [255 / 127])],
  ]),
};

test('costs of noise at the output, channel by channel', () => {
  const costs = valueCosts(paperNet(), active);
  expect([...costs.get('b/y')!]).toEqual([1]);
  expect([...costs.get('pool/y')!]).toEqual([9, 1]); // W^2
  expect([...costs.get('a/y')!]).toEqual([9 / 4, 1 / 4]); // a mean of 4 quarters the variance
  expect([...costs.get('x')!]).toEqual([4 * (9 / 4) + 1 * (1 / 8)]); // half of channel 2 passes
});

test('noise that is the same everywhere is not averaged away', () => {
  const costs = valueCosts(paperNet(), active, 'coherent');
  expect([...costs.get('a/y')!]).toEqual([9, 1]);
  expect([...costs.get('x')!]).toEqual([4 * 9 + 1 * 0.5]);
});

test('shares of the noise by layer and value', () => {
  // In units of (1 / 127)^2 / 12, weights per channel:
  // weights of a: steps 2 and 1, squared 4 and 1; E[x^2] = 1; costs 9 and 1 x 0.5   -> 36.5
  // weights of b: step 3, squared 9; E[pool^2] = 1 + 1; cost 1                      -> 18
  // x: step 1, cost 9.125                                                           -> 9.125
  // a/y: step 2, squared 4, cost 9/4 + 1/4                                          -> 10
  const total = 36.5 + 18 + 9.125 + 10;
  const made = new Set(['x', 'a/y']);
  const { weights, values } = noiseShares(paperNet(), statistics, made, 'per-channel');
  expect(weights.get('a')).toBeCloseTo((100 * 36.5) / total, 4); // 49.6 %
  expect(weights.get('b')).toBeCloseTo((100 * 18) / total, 4); // 24.4 %
  expect(values.get('x')).toBeCloseTo((100 * 9.125) / total, 4); // 12.4 %
  expect(values.get('a/y')).toBeCloseTo((100 * 10) / total, 4); // 13.6 %
  expect([...weights.values(), ...values.values()].reduce((a, b) => a + b)).toBeCloseTo(100, 6);
});

describe('the terms that equalization minimizes', () => {
  const graph = paperNet();
  const groups = channelGroups(graph);
  const model = noiseModel(graph, statistics, active);
  const options = {
    iterations: 0,
    perChannelWeights: false,
    weightLevels: 255,
    activationLevels: () => 255,
    asymmetricWeights: false,
    asymmetricActivations: true,
  };

  /** Each term at the factors t of the two channels between the layers, times 12 x 255^2. */
  function termsAt(t: readonly [number, number], perChannelWeights: boolean): number[] {
    const logs = [Float64Array.from(t, Math.log)];
    const terms = noiseTerms(model, groups, { ...options, perChannelWeights });
    return terms.map((term) => term(logs, [new Float64Array(2)]) * 12 * 255 ** 2);
  }

  // Ranges of a/y and pool/y in these units: 510 / 127 and a tenth of it.
  const whole = (510 / 127) ** 2;

  it('are those of the formulas at factors of 1', () => {
    // Values come backwards, as costs are carried.
    const [a, b, pooled, aOut] = termsAt([1, 1], false);
    expect(groups.map(({ values }) => values)).toEqual([['a/y', 'pool/y']]);
    expect(a).toBeCloseTo((2 * 2) ** 2 * (9 / 4 + 1 / 8), 5); // s = 2 x 2, P = 1
    expect(b).toBeCloseTo((2 * 3) ** 2 * (0.05 + 1), 5); // P = variance + 0.05 mean^2
    expect([aOut, pooled].map((one) => one! / whole)).toEqual([
      expect.closeTo(9 / 4 + 1 / 4, 5),
      expect.closeTo(9 + 1, 5),
    ]);
  });

  it('follow the factors of the channels', () => {
    // The first channel doubled: a writes weights 4 and 1, b reads 1.5 and 1.
    const [a, b, pooled, aOut] = termsAt([2, 1], false);
    expect(a).toBeCloseTo((2 * 4) ** 2 * (9 / 4 / 4 + 1 / 8), 5);
    expect(b! / ((2 * 1.5) ** 2 * (4 * 0.05 + 1))).toBeCloseTo(1, 4); // (1 / 1.5)^24 is felt
    expect([aOut, pooled].map((one) => one! / (4 * whole))).toEqual([
      expect.closeTo(9 / 4 / 4 + 1 / 4, 5),
      expect.closeTo(9 / 4 + 1, 5),
    ]);
  });

  it("leave a layer's own factor out with one scale per channel", () => {
    // a reads the input, which keeps its scale: nothing to choose.
    expect(termsAt([2, 1], true)[0]).toBe(0);
    const [, b] = termsAt([2, 1], true);
    expect(b! / ((2 * 1.5) ** 2 * (4 * 0.05 + 1))).toBeCloseTo(1, 4);
  });
});
