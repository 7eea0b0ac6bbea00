// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph, Node, OpenFloatRunner } from '../graph/graph.js';
import type { QuantWeight } from '../graph/quant-graph.js';
import type { SampleSource } from '../graph/samples.js';
import { convolutionsOf, weightOf } from './connections.js';
import { exposePreActivations, preActivationOf } from './pre-activations.js';
import { accumulatorOf, simulate } from './simulate.js';
import { quantGraphOf, type Choices } from './state.js';
import { channelMeans } from './tap-means.js';
import { dequantizeWeights } from './weights.js';

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

/**
 * Goes through the network in order and moves each bias so that the mean of every channel before
 * the clamp equals the float network's, with all layers before it quantized and corrected. Unlike
 * the analytic form it also makes good what clipping, rounding and ReLU did to the means upstream.
 *
 * @param onLayer called after each of `count` layers
 */
export async function correctBiasSequential(
  choices: Choices,
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
  onLayer?: (done: number, count: number) => void,
): Promise<Biases> {
  const convolutions = convolutionsOf(choices.graph);
  const expected = await channelMeans(
    exposePreActivations(choices.graph),
    convolutions.map(preActivationOf),
    samples,
    openFloatRunner,
  );
  const biases = new Map(choices.biases);
  for (const [index, conv] of convolutions.entries()) {
    const simulated = simulate(quantGraphOf({ ...choices, biases }));
    const value = accumulatorOf(conv.name);
    const means = await channelMeans(simulated, [value], samples, openFloatRunner);
    const steps = means.get(value)!;
    const { scale } = choices.activations.get(conv.outputs[0]!)!;
    const target = expected.get(preActivationOf(conv))!;
    const bias = biases.get(conv.name)!;
    biases.set(
      conv.name,
      bias.map((b, c) => b + target[c]! - steps[c]! * scale),
    );
    onLayer?.(index + 1, convolutions.length);
  }
  return biases;
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
    const { clamp: _, ...plain } = conv;
    return { ...plain, name, inputs: [conv.inputs[0]!, `${name}/kernel`, ''], outputs: [name] };
  });
  return { ...graph, nodes: [...graph.nodes, ...added], constants, shapes };
}
