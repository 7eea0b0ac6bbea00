// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../../errors.js';
import type { ConvNode, Graph } from '../../graph/graph.js';
import type { QuantGraph, QuantWeight } from '../../graph/quant-graph.js';
import { biasScale, quantizeBias, type BiasGrid } from '../codes/bias.js';
import type { Quantization } from '../codes/scales.js';
import { convolutionsOf } from '../network/connections.js';
import { assemble, type QuantizedLayer } from './assemble.js';

/** All choices made so far, still open to correction. */
export interface Choices {
  /** The float network that is being approximated, after the rewrites. */
  readonly graph: Graph;
  /** By value name. */
  readonly activations: ReadonlyMap<string, Quantization>;
  /** Integer weights by convolution name. */
  readonly weights: ReadonlyMap<string, QuantWeight>;
  /** Real biases by convolution name. */
  readonly biases: ReadonlyMap<string, Float64Array>;
  /** Where the target's registers do not hold every bias. */
  readonly biasGrid?: BiasGrid | undefined;
}

/** The quantized graph that the choices amount to. */
export function quantGraphOf(choices: Choices): QuantGraph {
  const layers = new Map<string, QuantizedLayer>();
  for (const conv of convolutionsOf(choices.graph)) {
    const weight = choices.weights.get(conv.name)!;
    const bias = choices.biases.get(conv.name)!;
    const { scale } = inputQuantization(choices, conv);
    const codes = quantizeBias(bias, scale, weight.scales, choices.biasGrid);
    layers.set(conv.name, { weight, bias: codes });
  }
  return assemble(choices.graph, choices.activations, layers);
}

/** What the grid of biases adds to each output of a layer: zero where every bias has a code. */
export function biasResidues(choices: Choices, conv: ConvNode): Float64Array {
  const bias = choices.biases.get(conv.name)!;
  if (choices.biasGrid === undefined) return new Float64Array(bias.length);
  const { scales } = choices.weights.get(conv.name)!;
  const { scale } = inputQuantization(choices, conv);
  const codes = quantizeBias(bias, scale, scales, choices.biasGrid);
  return bias.map((value, c) => {
    return codes[c]! * biasScale(scale, scales[scales.length === 1 ? 0 : c]!) - value;
  });
}

/**
 * Scale and zero point of what a convolution reads.
 *
 * @throws UsageError `no-quantization` naming the node
 */
export function inputQuantization(
  choices: Pick<Choices, 'activations'>,
  conv: ConvNode,
): Quantization {
  const quantization = choices.activations.get(conv.inputs[0]!);
  if (quantization !== undefined) return quantization;
  throw new UsageError('no-quantization', `node "${conv.name}"`, 'its input has no range');
}
