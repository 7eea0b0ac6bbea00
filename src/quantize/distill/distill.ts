// SPDX-License-Identifier: Apache-2.0
// Distillation: biases and weight scales learned from the float network's scores. Hinton, Vinyals
// and Dean 2015 (arXiv 1503.02531) for the teacher, here by squared error and without labels;
// gradients through rounding by the straight-through estimator (Bengio, Leonard and Courville
// 2013, arXiv 1308.3432); Adam (../adam.ts).
//
// Symbols: y, y' [K] the scores of the float and of the quantized network on one image; per layer
// b [O] the bias, s [1] or [O] the weight scale, z = w' x' + b the sum before rounding, in steps
// of the layer's output S.
//
//   minimize over b, s   L = mean over images of |y' - y|^2 / 2;  codes of the weights stay
//
//   1. Forward: both networks, the quantized one simulated in float (choices/simulate.ts).
//   2. Backward (backward.ts): dL/dz, where rint counts as the identity and a clamp passes what lies inside.
//        dL/db = mean of dL/dz
//        dL/d ln s = mean of dL/dz (z - mean z): a scale turns a channel around its mean, so the bias gives
//        back what the mean would move by, b <- b - gain x (S mean z - b).
//   3. After every `batch` images, k updates of n done, with r = A (1 - k / n):
//        b <- b + (S range / 255) Adam(dL/db, r biasRate)      s <- s (1 + Adam(dL/d ln s, r gainRate))
//      A = sqrt(sum |y' - y|^2 / sum |y|^2) of the first batch: the worse the start, the longer the way.
import type { FloatRunner, Graph, Node, OpenFloatRunner } from '../../graph/graph.js';
import type { QuantWeight } from '../../graph/quant-graph.js';
import type { SampleSource } from '../../graph/samples.js';
import { Adam } from '../adam.js';
import { type Choices } from '../choices/choices.js';
import { codeLimits } from '../codes/scales.js';
import { convolutionsOf } from '../network/connections.js';
import { cutAt } from '../network/cut-at.js';
import { scoresOf } from '../network/scores.js';
import {
  differenceName,
  floatName,
  gradientGraph,
  kinds,
  meanName,
  type Sums,
} from './gradient-graph.js';
import type { DistillSettings } from './settings.js';

/** What gradients are learned from, and which parameters they may move. */
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
    const [minCode, maxCode] = codeLimits(dtype, bits);
    const unit = (scale * (maxCode - minCode)) / 255;
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
