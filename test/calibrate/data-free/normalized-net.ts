// SPDX-License-Identifier: Apache-2.0
import { collect } from '../../../src/calibrate/collect.js';
import {
  distributionFrom,
  type ChannelDistribution,
} from '../../../src/calibrate/data-free/index.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import type { SampleSource } from '../../../src/graph/samples.js';
import { convolutionsOf } from '../../../src/quantize/network/connections.js';
import {
  exposePreActivations,
  preActivationOf,
} from '../../../src/quantize/network/pre-activations.js';

/** The network as if it had been trained on the samples with a batch norm after each convolution. */
export async function withNormalizations(graph: Graph, samples: SampleSource): Promise<Graph> {
  const convolutions = convolutionsOf(graph);
  const { moments } = await collect(exposePreActivations(graph), samples, openFloatRunner, {
    moments: convolutions.map(preActivationOf),
  });
  return {
    ...graph,
    normalizations: new Map(
      convolutions.map((conv) => {
        const { mean, variance } = moments.get(preActivationOf(conv))!;
        const statistics = {
          mean: Float32Array.from(mean),
          std: Float32Array.from(variance, Math.sqrt),
          alpha: new Float32Array(mean.length).fill(1),
          variance: Float32Array.from(variance),
        };
        return [conv.name, statistics] as const;
      }),
    ),
  };
}

/** What `randomSamples` look like: uniform in [-1, 1). */
export function noise(channels: number): ChannelDistribution {
  return distributionFrom(channels, () => ({ mean: 0, std: Math.sqrt(1 / 3), lo: -1, hi: 1 }));
}
