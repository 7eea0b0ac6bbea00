// SPDX-License-Identifier: Apache-2.0
import type { Statistics } from '../../calibrate/statistics.js';
import type { ConvNode, Graph } from '../../graph/graph.js';
import { convolutionsOf, weightOf } from '../../quantize/network/connections.js';
import { valueCosts } from '../../quantize/noise/value-costs.js';
import { inputChannels } from '../../quantize/network/input-channels.js';
import { endsOf, spreadOf, stepOf } from './spread.js';

/** Where the noise of the scores is made, %, by name: all together 100. */
export interface NoiseShares {
  /** By the rounding of each convolution's weights. */
  readonly weights: ReadonlyMap<string, number>;
  /** By the rounding of each value. */
  readonly values: ReadonlyMap<string, number>;
}

/** Of the scales of weights. */
export type Granularity = 'per-tensor' | 'per-channel';

/**
 * How much each layer's weights and each value add to the noise of the scores when all are rounded to 8 bits over their
 * full ranges and nothing is done about it: step^2 / 12 times what noise there costs at the output
 * (quantize/noise/). Errors of values differ from position to position, so that averages take them away;
 * those of weights are the same everywhere, their mean effect included. A model of small, independent errors: it
 * ranks layers, and says nothing of the scores' SQNR (11 dB too high on one real network, 15 too low on another).
 *
 * @param statistics channel ranges, moments and active shares of every value
 * @param made values that are rounded, rather than handed on as codes
 */
export function noiseShares(
  graph: Graph,
  statistics: Statistics,
  made: ReadonlySet<string>,
  granularity: Granularity,
): NoiseShares {
  const costs = valueCosts(graph, statistics.active, 'coherent');
  const weights = new Map(
    convolutionsOf(graph).map((conv) => {
      const noise = weightNoise(graph, conv, statistics, granularity);
      const cost = costs.get(conv.outputs[0]!)!;
      const passed = statistics.active.get(conv.outputs[0]!);
      return [conv.name, dot(noise, passed === undefined ? cost : times(cost, passed))];
    }),
  );
  const values = new Map(
    [...valueCosts(graph, statistics.active)]
      .filter(([value]) => made.has(value))
      .map(([value, cost]) => {
        const step = stepOf(spreadOf(statistics.channelRange.get(value)!));
        return [value, (step ** 2 / 12) * cost.reduce((a, b) => a + b, 0)];
      }),
  );
  const total = [...weights.values(), ...values.values()].reduce((a, b) => a + b, 0);
  return { weights: percents(weights, total), values: percents(values, total) };
}

/** What rounded weights add to each output channel: step^2 / 12 for each of them times E[x^2] of its input. */
function weightNoise(
  graph: Graph,
  conv: ConvNode,
  { moments }: Statistics,
  granularity: Granularity,
): Float64Array {
  const { data, shape } = weightOf(graph, conv);
  const [outputs = 1, perGroup = 1, height = 1, width = 1] = shape;
  const { mean, variance } = moments.get(conv.inputs[0]!)!;
  const ends = endsOf(data, outputs);
  const whole = stepOf(spreadOf(ends));
  return Float64Array.from({ length: outputs }, (_, c) => {
    const own = Math.max(ends.max[c]!, -ends.min[c]!) / 127;
    const step = granularity === 'per-tensor' ? whole : own;
    const { first } = inputChannels(conv, shape, c);
    let power = 0;
    for (let i = first; i < first + perGroup; i++) power += variance[i]! + mean[i]! ** 2;
    return (step ** 2 / 12) * height * width * power;
  });
}

function percents(noises: ReadonlyMap<string, number>, total: number): ReadonlyMap<string, number> {
  return new Map([...noises].map(([name, noise]) => [name, total > 0 ? (100 * noise) / total : 0]));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function times(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value * b[i]!);
}
