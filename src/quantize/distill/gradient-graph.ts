// SPDX-License-Identifier: Apache-2.0
import type { Graph, Node, Tensor } from '../../graph/graph.js';
import { f32Tensor } from '../../graph/tensors.js';
import { quantGraphOf, type Choices } from '../choices/choices.js';
import { accumulatorOf, realInputOf, simulate } from '../choices/simulate.js';
import { convolutionsOf } from '../network/connections.js';
import { cutAt } from '../network/cut-at.js';
import { scoresOf } from '../network/scores.js';
import { differentiate } from './backward.js';

/** Of a layer's channels, in steps of its output: */
export interface Sums {
  /** the gradient, */
  readonly bias: Float64Array;
  /** its product with the sum before rounding, */
  readonly product: Float64Array;
  /** and that sum itself. */
  readonly mean: Float64Array;
}

/** The keys of `Sums`. */
export const kinds = ['bias', 'product', 'mean'] as const;

/** The value that holds y' - y, [1, K], in units of the scores. */
export const differenceName = 'distill/difference';
/** The value that holds a layer's channel means, [1, O] or [1, O, 1, 1]. */
export const meanName = (layer: string, kind: keyof Sums): string => `${layer}/distill/${kind}`;
/** The name in the joined graph of a value or node of the float network. */
export const floatName = (value: string): string => `float/${value}`;

/**
 * Both networks on one input, and for every layer the channel means of the gradient of
 * |scores - float scores|^2 / 2 before rounding, and of its product with the sum itself.
 */
export function gradientGraph(choices: Choices): Graph {
  const simulated = simulate(quantGraphOf(choices));
  const output = scoresOf(choices.graph);
  const { scale } = choices.activations.get(output)!;
  const real = realInputOf(choices.graph.inputs[0]!.name);
  const float = renamed(choices.graph, choices.graph.inputs[0]!.name, real);
  const shapes = new Map([...simulated.shapes, ...float.shapes]);
  const constants = new Map<string, Tensor>([...simulated.constants, ...float.constants]);
  const outputShape = simulated.shapes.get(output)!;
  const step = 'distill/step';
  constants.set(step, f32Tensor([1], [scale]));
  const [scores, seed] = ['distill/scores', 'distill/seed'];
  const added: Node[] = [
    { op: 'Mul', name: scores, inputs: [output, step], outputs: [scores] },
    {
      op: 'Sub',
      name: differenceName,
      inputs: [scores, floatName(output)],
      outputs: [differenceName],
    },
    { op: 'Mul', name: seed, inputs: [differenceName, step], outputs: [seed] },
  ];
  for (const name of [scores, differenceName, seed]) shapes.set(name, outputShape);
  const joined: Graph = {
    ...simulated,
    nodes: [...float.nodes, ...simulated.nodes, ...added],
    constants,
    shapes,
  };
  const layers = convolutionsOf(choices.graph).map(({ name }) => name);
  const wanted = new Set(layers.map(accumulatorOf));
  const { graph, gradients } = differentiate(joined, new Map([[output, seed]]), wanted);
  return withOutputs(graph, layers, gradients, [differenceName, floatName(output)]);
}

function withOutputs(
  graph: Graph,
  layers: readonly string[],
  gradients: ReadonlyMap<string, string>,
  values: readonly string[],
): Graph {
  const nodes: Node[] = [...graph.nodes];
  const shapes = new Map(graph.shapes);
  const outputs = [...values];
  for (const layer of layers) {
    const sum = accumulatorOf(layer);
    const gradient = gradients.get(sum);
    if (gradient === undefined) continue;
    const product = `${layer}/distill/products`;
    const shape = graph.shapes.get(sum)!;
    nodes.push({ op: 'Mul', name: product, inputs: [gradient, sum], outputs: [product] });
    shapes.set(product, shape);
    const from = { bias: gradient, product, mean: sum };
    for (const kind of kinds) {
      const name = meanName(layer, kind);
      const op = shape.length === 4 ? 'GlobalAveragePool' : 'Identity';
      nodes.push({ op, name, inputs: [from[kind]], outputs: [name] });
      shapes.set(name, shape.length === 4 ? [1, shape[1]!, 1, 1] : shape);
      outputs.push(name);
    }
  }
  return cutAt({ ...graph, nodes, shapes }, outputs);
}

/** The float network under names of its own, reading `to` in the place of its input. */
function renamed(graph: Graph, from: string, to: string): Graph {
  const name = (value: string): string =>
    value === '' ? '' : value === from ? to : floatName(value);
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({
      ...node,
      name: floatName(node.name),
      inputs: node.inputs.map(name),
      outputs: node.outputs.map(name),
    })),
    constants: new Map([...graph.constants].map(([key, tensor]) => [floatName(key), tensor])),
    shapes: new Map([...graph.shapes].map(([key, shape]) => [name(key), shape])),
  };
}
