// SPDX-License-Identifier: Apache-2.0
// Which schemes a target leaves open for the weights of one layer, and what each costs.
import type { QuantConv, QuantGraph } from '../../graph/quant-graph.js';
import type { TargetConstraints } from '../../targets/target.js';
import { biasScale } from '../codes/bias.js';
import {
  dequantizeWeights,
  quantizeWeights,
  weightScheme,
  type WeightChoice,
} from '../codes/weights.js';
import { chooseWeightGrid } from '../weights/choose-grid.js';

/** A scheme, complete. */
export type Scheme = Required<Pick<WeightChoice, 'bits' | 'perChannel'>>;

/**
 * Weight schemes that are tried on a target: its widest of up to 8 bits and 4 bits where it takes
 * them, per channel and per tensor. Each width more costs a simulation of each layer.
 */
export function schemesOf(constraints: TargetConstraints): Scheme[] {
  const widest = Math.max(...constraints.weightBits.filter((bits) => bits <= 8));
  const widths = constraints.weightBits.includes(4) && widest > 4 ? [widest, 4] : [widest];
  const granularities = constraints.perChannelWeights ? [true, false] : [false];
  return widths.flatMap((bits) => granularities.map((perChannel) => ({ bits, perChannel })));
}

/** The scheme that a layer has. */
export function schemeIn({ weight }: QuantConv): Scheme {
  return { bits: weight.bits, perChannel: weight.scales.length > 1 };
}

/** Of each scale besides the weights: a 32-bit multiplier and a shift. */
const bytesOfScale = 5;

/** Weights, biases and multipliers of a layer in bytes. */
export function layerBytes({ weight }: QuantConv, scheme: Scheme): number {
  const channels = weight.shape[0]!;
  const scales = scheme.perChannel ? channels : 1;
  return Math.ceil((weight.data.length * scheme.bits) / 8) + 4 * channels + bytesOfScale * scales;
}

/** Multiply-accumulates for one image. */
export function layerMacs(graph: QuantGraph, conv: QuantConv): number {
  const [, , height = 1, width = 1] = graph.values.get(conv.output)!.shape;
  return conv.weight.data.length * height * width;
}

/** The graph with one layer's weights rounded once more, to the grid of another scheme. */
export function withScheme(
  graph: QuantGraph,
  layer: string,
  scheme: Scheme,
  constraints: TargetConstraints,
): QuantGraph {
  const nodes = graph.nodes.map((node) =>
    node.op === 'Conv' && node.name === layer ? rounded(graph, node, scheme, constraints) : node,
  );
  return { ...graph, nodes };
}

function rounded(
  graph: QuantGraph,
  conv: QuantConv,
  scheme: Scheme,
  constraints: TargetConstraints,
): QuantConv {
  const { shape, scales } = conv.weight;
  const full = weightScheme(constraints, scheme);
  const real = dequantizeWeights(conv.weight);
  const grid = chooseWeightGrid(real, shape[0]!, full, scheme.bits < 8 ? 'mse' : 'minmax');
  const weight = quantizeWeights(real, shape, full, grid);
  const { scale } = graph.values.get(conv.inputs[0]!)!;
  const at = (list: Float32Array, c: number): number => list[list.length === 1 ? 0 : c]!;
  const bias = conv.bias?.map((code, c) =>
    Math.round((code * biasScale(scale, at(scales, c))) / biasScale(scale, at(weight.scales, c))),
  );
  return { ...conv, weight, ...(bias === undefined ? {} : { bias }) };
}
