// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph } from '../../graph/graph.js';
import { weightOf } from '../../quantize/network/connections.js';
import { chooseWeightGrid } from '../../quantize/weights/choose-grid.js';
import {
  dequantizeWeights,
  quantizeWeights,
  type WeightScheme,
} from '../../quantize/codes/weights.js';
import { sqnrDb } from '../error-sums.js';
import { endsOf, medianOf, spreadOf, type Spread } from './spread.js';

/** What 8 bits leave of a layer's weights. */
interface RoundedWeightFacts {
  /** SQNR of the output channel in the middle, dB: half of them are no better; infinite where nothing is lost. Channels of zeros do not count. */
  readonly medianChannelDb?: number;
  /** Channels that are not zero and become zero. */
  readonly lostChannels: number;
}

/** A layer's weights, batch norm folded in. */
export interface WeightDistribution extends Spread {
  /** One asymmetric scale for the tensor, that of Sheng et al. 2018 and Yun and Wong 2021. */
  readonly perTensor: RoundedWeightFacts;
  /** One symmetric scale for each output channel. */
  readonly perChannel: RoundedWeightFacts;
}

const shared = { bits: 8, powerOfTwo: false } as const;
const perTensor: WeightScheme = {
  ...shared,
  ...{ dtype: 'u8', perChannel: false, zeroPoint: true, narrow: false },
};
const perChannel: WeightScheme = {
  ...shared,
  ...{ dtype: 's8', perChannel: true, zeroPoint: false, narrow: true },
};

export function weightDistribution(graph: Graph, conv: ConvNode): WeightDistribution {
  const { data, shape } = weightOf(graph, conv);
  return {
    ...spreadOf(endsOf(data, shape[0]!)),
    perTensor: roundedFacts(data, shape, perTensor),
    perChannel: roundedFacts(data, shape, perChannel),
  };
}

function roundedFacts(
  data: Float32Array,
  shape: readonly number[],
  scheme: WeightScheme,
): RoundedWeightFacts {
  const [channels = 1] = shape;
  const grid = chooseWeightGrid(data, channels, scheme, 'minmax');
  const rounded = dequantizeWeights(quantizeWeights(data, shape, scheme, grid));
  const size = data.length / channels;
  const decibels: number[] = [];
  let lostChannels = 0;
  for (let c = 0; c < channels; c++) {
    const [real, near] = [data, rounded].map((all) => all.subarray(c * size, (c + 1) * size));
    if (real!.every((value) => value === 0)) continue;
    if (near!.every((value) => value === 0)) lostChannels++;
    decibels.push(sqnrDb(real!, near!));
  }
  const median = medianOf(decibels);
  return { ...(median === undefined ? {} : { medianChannelDb: median }), lostChannels };
}
