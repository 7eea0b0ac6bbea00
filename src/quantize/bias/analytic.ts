// SPDX-License-Identifier: Apache-2.0
// Analytic bias correction. Nagel et al. 2019, arXiv 1906.04721, section 4.2.
//
// Symbols: W, W' the weights of a layer before and after rounding, x its input in the float
// network, b its bias [O]. W' - W is random over weights but fixed for good, so its mean effect is
// the same shift on every image:
//
//   E[W' x] - E[W x] = E[(W' - W) x]      b <- b - E[(W' - W) x]
//
// The expectation is over the images and positions: a convolution with W' - W runs beside each
// layer.
import type { ConvNode, Graph, Node, OpenFloatRunner } from '../../graph/graph.js';
import type { QuantWeight } from '../../graph/quant-graph.js';
import type { SampleSource } from '../../graph/samples.js';
import type { Choices } from '../choices/choices.js';
import { dequantizeWeights } from '../codes/weights.js';
import { channelMeans } from '../means/image-means.js';
import { convolutionsOf, weightOf } from '../network/connections.js';

type Biases = ReadonlyMap<string, Float64Array>;

/**
 * Takes from each bias the mean error that its layer's rounded weights make on the float
 * network's own activations: b -= E[(W' - W) x] (Nagel et al. 2019), with the expectation from
 * data. The convolution with W' - W runs beside the network, so borders and strides count as they
 * are. Rounding is random per weight but fixed for good: this mean is what it shifts for every image.
 *
 * @returns biases by convolution name
 */
export async function correctBiasAnalytic(
  choices: Choices,
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
): Promise<Biases> {
  const convolutions = convolutionsOf(choices.graph);
  const graph = withErrorConvolutions(choices.graph, choices.weights);
  const means = await channelMeans(graph, convolutions.map(errorOf), samples, openFloatRunner);
  return new Map(
    convolutions.map((conv) => {
      const error = means.get(errorOf(conv))!;
      return [conv.name, choices.biases.get(conv.name)!.map((bias, c) => bias - error[c]!)];
    }),
  );
}

function errorOf(conv: ConvNode): string {
  return `${conv.name}/weight-error`;
}

function withErrorConvolutions(graph: Graph, weights: ReadonlyMap<string, QuantWeight>): Graph {
  const constants = new Map(graph.constants);
  const shapes = new Map(graph.shapes);
  const added = convolutionsOf(graph).map((conv): Node => {
    const { data, shape } = weightOf(graph, conv);
    const rounded = dequantizeWeights(weights.get(conv.name)!);
    const name = errorOf(conv);
    constants.set(`${name}/kernel`, {
      dtype: 'f32',
      shape,
      data: rounded.map((value, i) => value - data[i]!),
    });
    shapes.set(name, graph.shapes.get(conv.outputs[0]!)!);
    const inputs = [conv.inputs[0]!, `${name}/kernel`, ''];
    const { op, kernel, strides, pads, dilations, group } = conv;
    return { op, name, inputs, outputs: [name], kernel, strides, pads, dilations, group };
  });
  return { ...graph, nodes: [...graph.nodes, ...added], constants, shapes };
}
