// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph, Tensor } from '../../graph/graph.js';
import { reach } from './normal.js';

/** Whether what the convolution writes is an output of the network, reshaped at most. */
export function makesLogits(graph: Graph, conv: ConvNode): boolean {
  let value = conv.outputs[0]!;
  for (const node of graph.nodes) {
    if (node.op === 'Reshape' && node.inputs[0] === value) value = node.outputs[0]!;
  }
  return graph.outputs.some(({ name }) => name === value);
}

/**
 * The deviation that gives logits the range of a trained classifier. Its features are not
 * independent: those of a class come together, along the class's weights, and the largest logit
 * is what that adds up to. Where features far outnumber classes, each class can have its own
 * direction and the sum comes near |w| sqrt(sum of variances) (Cauchy and Schwarz); with many
 * classes it is about ten deviations of independent features. Guessed from three networks; see
 * bench/results/quantization/history.md.
 *
 * @param independent deviations if features were independent, [O]
 * @param weight [O, C, ...]
 * @param variance of the features, [C]
 */
export function logitDeviation(
  independent: Float64Array,
  weight: Pick<Tensor, 'data' | 'shape'>,
  variance: Float64Array,
): Float64Array {
  const classes = independent.length;
  const size = weight.data.length / classes;
  const total = Math.sqrt(variance.reduce((a, b) => a + b, 0));
  const aligned = Math.min(1.5, Math.sqrt(variance.length / (8 * classes)));
  return independent.map((std, c) => {
    let energy = 0;
    for (let i = c * size; i < (c + 1) * size; i++) energy += weight.data[i]! ** 2;
    return Math.max(10 * std, aligned * Math.sqrt(energy) * total) / reach;
  });
}
