// SPDX-License-Identifier: Apache-2.0
import type { Statistics } from '../../calibrate/statistics.js';
import type { ConvNode, Graph } from '../../graph/graph.js';
import { weightOf } from '../network/connections.js';
import { inputChannels } from '../network/input-channels.js';

/**
 * The second moment that stands for each weight's squared gradient, [O, C/group, KH, KW]: a weight's
 * gradient is its output's times its input, so E[x^2] times what noise of the output costs.
 *
 * @param outputCost of each output channel before the clamp, [O]; absent: E[x^2] alone
 */
export function secondMoments(
  graph: Graph,
  conv: ConvNode,
  statistics: Pick<Statistics, 'moments'>,
  outputCost?: Float64Array,
): Float64Array {
  const { mean, variance } = statistics.moments.get(conv.inputs[0]!)!;
  const { data, shape } = weightOf(graph, conv);
  const [outputs = 1, perGroup = 1] = shape;
  const taps = data.length / (outputs * perGroup);
  const moments = new Float64Array(data.length);
  for (let oc = 0, i = 0; oc < outputs; oc++) {
    const { first, count } = inputChannels(conv, shape, oc);
    for (let ic = first; ic < first + count; ic++) {
      const moment = (variance[ic]! + mean[ic]! ** 2) * (outputCost?.[oc] ?? 1);
      for (let tap = 0; tap < taps; tap++, i++) moments[i] = moment;
    }
  }
  return moments;
}
