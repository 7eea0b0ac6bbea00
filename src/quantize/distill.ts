// SPDX-License-Identifier: Apache-2.0
import type { FloatRunner, Graph, Node, OpenFloatRunner, Tensor } from '../graph/graph.js';
import type { QuantWeight } from '../graph/quant-graph.js';
import type { SampleSource } from '../graph/samples.js';
import { f32Tensor } from '../graph/tensors.js';
import { Adam } from './adam.js';
import { differentiate } from './backward.js';
import { convolutionsOf } from './connections.js';
import { codeLimits } from './scales.js';
import { scoresOf } from './scores.js';
import { accumulatorOf, realInputOf, simulate } from './simulate.js';
import { quantGraphOf, type Choices } from './state.js';
import { cutAt } from './tap-means.js';

export interface DistillSettings {
  /** Times that every image is looked at. */
  readonly epochs: number;
  /** Images between two updates. */
  readonly batch: number;
  /**
   * First step of a bias, as a share of its output's range / 255, and of a scale, as a share of itself; both
   * times the square root of the scores' relative squared error at the start, and falling to zero.
   */
  readonly biasRate: number;
  readonly gainRate: number;
}

export interface DistillOptions {
  readonly samples: SampleSource;
  readonly openFloatRunner: OpenFloatRunner;
  readonly settings: DistillSettings;
  /** Whether a layer's scales may take any value. */
  readonly freeScales: (layer: string) => boolean;
  /** @param error mean squared error of the scores in the epoch / their mean square */
  readonly onEpoch?: (done: number, count: number, error: number) => void;
}

/** What one layer's parameters moved by: b + bias, scale x (1 + gain). */
interface Moves {
  readonly layer: string;
  readonly output: string;
  readonly bias: Adam;
  readonly gain: Adam | undefined;
}

/** The first node that gradients of the scores cannot pass; without one the network can be distilled. */
export function nodeWithoutGradient(graph: Graph): Node | undefined {
  return cutAt(graph, [scoresOf(graph)]).nodes.find(({ op }) => !passable.has(op));
}

const passable: ReadonlySet<Node['op']> = new Set<Node['op']>([
  'Conv',
  'Add',
  'Clamp',
  'AveragePool',
  'GlobalAveragePool',
  'Reshape',
  'Pad',
]);

/**
 * Moves biases, and weight scales where they are free, by gradient descent (Adam) so that the quantized
 * network's scores come closer to the float network's on the samples. No labels; integers of
 * the weights stay. Gradients go through rounding as if it were not there.
 *
 * @returns the choices, and the relative squared error of the scores in each epoch
 */
export async function distill(
  start: Choices,
  { samples, openFloatRunner, settings, freeScales, onEpoch }: DistillOptions,
): Promise<{ readonly choices: Choices; readonly errors: readonly number[] }> {
  const moves = convolutionsOf(start.graph).map((conv): Moves => {
    const { scales, shape } = start.weights.get(conv.name)!;
    return {
      layer: conv.name,
      output: conv.outputs[0]!,
      bias: new Adam(shape[0]!),
      gain: freeScales(conv.name) ? new Adam(scales.length) : undefined,
    };
  });
  const updates = settings.epochs * Math.ceil(samples.count / settings.batch);
  let choices = start;
  let update = 0;
  let amplitude = 0;
  const errors: number[] = [];
  for (let epoch = 0; epoch < settings.epochs; epoch++) {
    let [signal, noise] = [0, 0];
    let batch = new Batch(choices, openFloatRunner);
    let seen = 0;
    for await (const { input } of samples) {
      await batch.add(input);
      seen++;
      if (batch.size < settings.batch && seen < samples.count) continue;
      signal += batch.signal;
      noise += batch.noise;
      // The worse the start, the longer the way.
      if (update === 0 && batch.signal > 0) amplitude = Math.sqrt(batch.noise / batch.signal);
      const rate = amplitude * (1 - update++ / updates);
      choices = moved(choices, moves, batch, {
        bias: rate * settings.biasRate,
        gain: rate * settings.gainRate,
      });
      await batch.close();
      batch = new Batch(choices, openFloatRunner);
    }
    await batch.close();
    errors.push(signal === 0 ? 0 : noise / signal);
    onEpoch?.(epoch + 1, settings.epochs, errors.at(-1)!);
  }
  return { choices, errors };
}

/** Of a layer's channels, in steps of its output: */
interface Sums {
  /** the gradient, */
  readonly bias: Float64Array;
  /** its product with the sum before rounding, */
  readonly product: Float64Array;
  /** and that sum itself. */
  readonly mean: Float64Array;
}

const kinds = ['bias', 'product', 'mean'] as const;

function noSums(channels: number): Sums {
  const [bias, product, mean] = kinds.map(() => new Float64Array(channels));
  return { bias: bias!, product: product!, mean: mean! };
}

function addTo(sum: Float64Array, values: Float32Array): void {
  for (let c = 0; c < sum.length; c++) sum[c]! += values[c]!;
}

/** Gradients of a few images, by layer. */
class Batch {
  readonly #sums = new Map<string, Sums>();
  size = 0;
  signal = 0;
  noise = 0;
  readonly #choices: Choices;
  readonly #open: OpenFloatRunner;
  #runner: FloatRunner | undefined;

  constructor(choices: Choices, open: OpenFloatRunner) {
    this.#choices = choices;
    this.#open = open;
  }

  async add(input: Float32Array): Promise<void> {
    this.#runner ??= await this.#open(gradientGraph(this.#choices), [], { optimize: true });
    const values = await this.#runner.run(input);
    this.size++;
    const real = values.get(floatName(scoresOf(this.#choices.graph)))!;
    const difference = values.get(differenceName)!;
    for (const value of real) this.signal += value * value;
    for (const value of difference) this.noise += value * value;
    for (const { name } of convolutionsOf(this.#choices.graph)) {
      const bias = values.get(meanName(name, 'bias'));
      if (bias === undefined) continue;
      let own = this.#sums.get(name);
      if (own === undefined) this.#sums.set(name, (own = noSums(bias.length)));
      for (const kind of kinds) addTo(own[kind], values.get(meanName(name, kind))!);
    }
  }

  /** Averages over images and positions. */
  sums(layer: string): Sums | undefined {
    const own = this.#sums.get(layer);
    if (own === undefined) return undefined;
    const share = (values: Float64Array): Float64Array => values.map((value) => value / this.size);
    return { bias: share(own.bias), product: share(own.product), mean: share(own.mean) };
  }

  async close(): Promise<void> {
    await this.#runner?.close();
  }
}

function moved(
  choices: Choices,
  moves: readonly Moves[],
  batch: Batch,
  rates: { readonly bias: number; readonly gain: number },
): Choices {
  const weights = new Map(choices.weights);
  const biases = new Map(choices.biases);
  for (const { layer, output, bias, gain } of moves) {
    const sums = batch.sums(layer);
    if (sums === undefined) continue;
    const { scale, dtype, bits } = choices.activations.get(output)!;
    const [least, greatest] = codeLimits(dtype, bits);
    const unit = (scale * (greatest - least)) / 255;
    const old = choices.biases.get(layer)!;
    const byBias = bias.step(sums.bias, rates.bias);
    const changed = old.map((value, c) => value + unit * byBias[c]!);
    if (gain !== undefined) {
      // A scale turns a channel around its mean, which the bias keeps in place.
      const weight = choices.weights.get(layer)!;
      const each = sums.product.map((value, c) => value - sums.mean[c]! * sums.bias[c]!);
      const shared = weight.scales.length === 1;
      const gradient = shared ? Float64Array.of(each.reduce((a, b) => a + b, 0)) : each;
      const byGain = gain.step(gradient, rates.gain);
      weights.set(layer, scaled(weight, byGain));
      sums.mean.forEach((mean, c) => {
        changed[c]! -= byGain[shared ? 0 : c]! * (mean * scale - old[c]!);
      });
    }
    biases.set(layer, changed);
  }
  return { ...choices, weights, biases };
}

function scaled(weight: QuantWeight, by: Float64Array): QuantWeight {
  return { ...weight, scales: weight.scales.map((scale, c) => scale * (1 + by[c]!)) };
}

const differenceName = 'distill/difference';
const meanName = (layer: string, kind: keyof Sums): string => `${layer}/distill/${kind}`;
const floatName = (value: string): string => `float/${value}`;

/**
 * Both networks on one input, and for every layer the channel means of the gradient of
 * |scores - float scores|^2 / 2 before rounding, and of its product with the sum itself.
 */
function gradientGraph(choices: Choices): Graph {
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
