// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph } from '../../graph/graph.js';
import { weightOf } from '../network/connections.js';

/** What the noise model knows of a convolution's weights. */
export interface WeightPairs {
  readonly outputs: number;
  readonly inputs: number;
  /** Inputs per output channel: `inputs / group`. */
  readonly perGroup: number;
  /** Largest weight above and below zero for each (output, input of its group) pair. */
  readonly positive: Float64Array;
  readonly negative: Float64Array;
  /** Sum over the taps of squares for each such pair. */
  readonly energy: Float64Array;
  /** Number of taps, KH x KW. */
  readonly taps: number;
}

/**
 * The weights of a convolution by pair of an output and an input channel of its group, [O, C/group]:
 * the largest above and below zero, and the sum of squares over the taps.
 */
export function weightPairs(graph: Graph, conv: ConvNode): WeightPairs {
  const { data, shape } = weightOf(graph, conv);
  const [outputs = 1, perGroup = 1, height = 1, width = 1] = shape;
  const taps = height * width;
  const positive = new Float64Array(outputs * perGroup);
  const negative = new Float64Array(outputs * perGroup);
  const energy = new Float64Array(outputs * perGroup);
  for (let i = 0; i < data.length; i++) {
    const pair = Math.floor(i / taps);
    const weight = data[i]!;
    positive[pair] = Math.max(positive[pair]!, weight);
    negative[pair] = Math.max(negative[pair]!, -weight);
    energy[pair]! += weight * weight;
  }
  return { outputs, inputs: perGroup * conv.group, perGroup, positive, negative, energy, taps };
}
