// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../../src/graph/graph.js';
import {
  describeOutliers,
  outlierAlphas,
} from '../../../src/quantize/repair-variance/outlier-alphas.js';
import { separableNet } from '../small-graphs.js';

function withAlphas(layers: Readonly<Record<string, readonly number[]>>): Graph {
  return {
    ...separableNet(1),
    normalizations: new Map(
      Object.entries(layers).map(([name, alpha]) => {
        const ones = new Float32Array(alpha.length).fill(1);
        return [name, { mean: ones, std: ones, variance: ones, alpha: Float32Array.from(alpha) }];
      }),
    ),
  };
}

test('factors far above those of their layer are counted, whatever their sign', () => {
  const found = outlierAlphas(
    withAlphas({ dw1: [1, 1, -31, 0.5, 2], pw1: [5, 6, 7], dw2: [0.1, 0.1, 0.1, 2, -1.5] }),
  );
  expect(found.layers).toEqual(
    new Map([
      ['dw1', 1],
      ['dw2', 2],
    ]),
  );
  expect(found.where).toBe('dw1');
  expect(describeOutliers(found)).toBe(
    "3 batch-norm factors in 2 layers over 10 x their layer's median (largest 31 x, dw1)",
  );
});

test('layers of zeros and networks without batch norms have none', () => {
  expect(outlierAlphas(withAlphas({ dw1: [0, 0, 0, 9] })).layers.size).toBe(0);
  expect(describeOutliers(outlierAlphas(separableNet(1)))).toBe('');
});
