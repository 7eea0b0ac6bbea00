// SPDX-License-Identifier: Apache-2.0
import { repairVariance } from '../../../src/quantize/repair-variance/repair-variance.js';
import { GraphBuilder } from '../small-graphs.js';

describe('repairVariance', () => {
  it('gives a channel without variance the mean variance of the others', () => {
    const builder = new GraphBuilder([1, 1, 2, 2]);
    const graph = builder.graph(builder.conv('a', 'x', { outputs: 3 }));
    const epsilon = 1e-3;
    const gamma = [0.5, 2, 1];
    const variance = Float32Array.of(0, 1, 3);
    const normalizations = new Map([
      [
        'a',
        {
          mean: Float32Array.of(0.1, 0.2, 0.3),
          std: Float32Array.from(gamma),
          alpha: Float32Array.from(gamma, (g, c) => g / Math.sqrt(variance[c]! + epsilon)),
          variance,
        },
      ],
    ]);
    const { graph: repaired, repaired: layers } = repairVariance({ ...graph, normalizations });
    expect([...layers]).toEqual([['a', 1]]);
    const gain = Math.sqrt(epsilon / (2 + epsilon));
    const before = graph.constants.get('a/w')!.data;
    const after = repaired.constants.get('a/weight')!.data;
    expect(after[0]).toBeCloseTo(before[0]! * gain, 4);
    expect([after[1], after[2]]).toEqual([before[1], before[2]]);
    const bias = graph.constants.get('a/b')!.data;
    const repairedBias = repaired.constants.get('a/bias')!.data;
    expect(repairedBias[0]).toBeCloseTo(0.1 + (bias[0]! - 0.1) * gain, 4);
    expect(repaired.normalizations.get('a')!.alpha[0]).toBeCloseTo(0.5 / Math.sqrt(2 + epsilon), 4);
  });

  it('leaves a healthy net alone', () => {
    const builder = new GraphBuilder([1, 1, 2, 2]);
    const graph = builder.graph(builder.conv('a', 'x', { outputs: 2 }));
    expect(repairVariance(graph).repaired.size).toBe(0);
    expect(repairVariance(graph).graph.constants).toEqual(graph.constants);
  });
});
