// SPDX-License-Identifier: Apache-2.0
import { collect, sampleWarnings } from '../calibrate/collect.js';
import type { Statistics } from '../calibrate/statistics.js';
import { ModelError } from '../errors.js';
import type { ConvNode, Graph, OpenFloatRunner } from '../graph/graph.js';
import type { QuantGraph, QuantWeight } from '../graph/quant-graph.js';
import type { SampleSource } from '../graph/samples.js';
import type { TargetConstraints } from '../targets/target.js';
import { activationNames, chooseActivations } from './activations.js';
import { fitBias } from './bias.js';
import { biasOf, convolutionsOf, shapeOf, weightOf } from './connections.js';
import { correctBiasAnalytic, correctBiasIterated } from './correct-bias.js';
import { equalize, equalizeNeeds } from './equalize.js';
import type { Recipe } from './recipe.js';
import { repairVariance } from './repair-variance.js';
import { activationScheme, requireFiniteData, type Quantization } from './scales.js';
import { quantGraphOf, type Choices } from './state.js';
import {
  chooseWeightGrid,
  quantizeWeights,
  weightScheme,
  type WeightChoice,
  type WeightScheme,
} from './weights.js';

/** What one step of the recipe did. */
export interface StepReport {
  readonly name: string;
  /** One line for people: what changed, with figures. */
  readonly changed: string;
}

export interface Progress {
  readonly step: string;
  readonly done: number;
  readonly total: number;
}

export interface QuantizeOptions {
  /** Canonical: folded batch norms, fused clamps. */
  readonly graph: Graph;
  /** Preprocessed calibration images. */
  readonly samples: SampleSource;
  readonly constraints: TargetConstraints;
  readonly recipe: Recipe;
  readonly openFloatRunner: OpenFloatRunner;
  /** Granularity and width of the weights, where the target leaves a choice. */
  readonly weights?: WeightChoice;
  readonly onProgress?: (progress: Progress) => void;
}

export interface QuantizeResult {
  readonly quantGraph: QuantGraph;
  readonly steps: readonly StepReport[];
  readonly warnings: readonly string[];
  /**
   * By value name, what each channel was multiplied by: a comparison with the float graph has to
   * divide by it. Values that are not listed kept their scale.
   */
  readonly channelFactors: ReadonlyMap<string, Float64Array>;
}

/**
 * Turns a float graph into a quantized one by the steps of a recipe, within a target's
 * constraints. Deterministic: the same graph, samples and recipe give the same integers.
 *
 * @throws UsageError without samples, or for a choice the target does not take
 * @throws ModelError `not-finite` naming the layer, `unsupported-op` naming the node
 */
export async function quantizeGraph(options: QuantizeOptions): Promise<QuantizeResult> {
  checkGraph(options.graph);
  const run = new Run(options);
  const graph = await run.rewrite(options.graph);
  const statistics = await run.statistics(graph);
  let choices = run.choose(graph, statistics);
  choices = await run.correct(choices, statistics);
  return {
    quantGraph: quantGraphOf(choices),
    steps: run.steps,
    warnings: run.warnings,
    channelFactors: run.channelFactors,
  };
}

/** One quantization: the options, and what is to be reported about it. */
class Run {
  readonly steps: StepReport[] = [];
  readonly warnings: string[];
  channelFactors: ReadonlyMap<string, Float64Array> = new Map();
  readonly #options: QuantizeOptions;
  readonly #scheme: WeightScheme;
  /** Weight scales raised for a bias to fit, by layer. */
  readonly #raised = new Map<string, number>();

  constructor(options: QuantizeOptions) {
    this.#options = options;
    this.#scheme = weightScheme(options.constraints, options.weights);
    this.warnings = sampleWarnings(options.samples);
  }

  async rewrite(graph: Graph): Promise<Graph> {
    const { recipe } = this.#options;
    let rewritten = graph;
    if (recipe.repairVariance) rewritten = this.#repair(rewritten);
    if (recipe.equalize !== false) rewritten = await this.#equalize(rewritten, recipe.equalize);
    return rewritten;
  }

  async statistics(graph: Graph): Promise<Statistics> {
    const { samples, openFloatRunner } = this.#options;
    const inputs = convolutionsOf(graph).map((conv) => conv.inputs[0]!);
    return collect(
      graph,
      samples,
      openFloatRunner,
      {
        histogram: activationNames(graph),
        moments: [...new Set(inputs)],
        active: clampedValues(graph),
      },
      this.#progress('calibrate', samples.count),
    );
  }

  choose(graph: Graph, statistics: Statistics): Choices {
    const { recipe, constraints } = this.#options;
    const scheme = activationScheme(constraints);
    const wideOutput =
      recipe.wideOutput && constraints.wideOutputs.includes('s16') ? 's16' : undefined;
    const activations = chooseActivations(graph, statistics.histogram, scheme, {
      ...recipe.activations,
      wideOutput,
    });
    this.#report('activation-ranges', describeRanges(recipe, activations));
    if (wideOutput !== undefined) this.#report('wide-output', describeOutput(graph, activations));
    const weights = new Map<string, QuantWeight>();
    const biases = new Map<string, Float64Array>();
    for (const conv of convolutionsOf(graph)) {
      weights.set(conv.name, this.#weightsOf(graph, conv, activations, statistics));
      biases.set(conv.name, Float64Array.from(biasOf(graph, conv)));
    }
    this.#report(
      'weights',
      `${weights.size} layers, ${this.#scheme.bits} bits, ` +
        `per ${this.#scheme.perChannel ? 'channel' : 'tensor'}, ranges by ${recipe.weights.method}`,
    );
    this.#warnRaised();
    return { graph, activations, weights, biases };
  }

  async correct(choices: Choices, statistics: Statistics): Promise<Choices> {
    const { recipe, samples, openFloatRunner } = this.#options;
    if (recipe.correctBias === 'none') return choices;
    let biases = await correctBiasAnalytic(choices, samples, openFloatRunner);
    if (recipe.correctBias === 'iterated') {
      const step = 'bias-correction';
      biases = await correctBiasIterated(
        { ...choices, biases },
        statistics.active,
        samples,
        openFloatRunner,
        (done, total) => this.#options.onProgress?.({ step, done, total }),
      );
    }
    this.#report('bias-correction', describeCorrection(choices, biases, recipe.correctBias));
    return { ...choices, biases };
  }

  #repair(graph: Graph): Graph {
    const { graph: repaired, repaired: layers } = repairVariance(graph);
    const channels = [...layers.values()].reduce((a, b) => a + b, 0);
    this.#report('repair-variance', `${channels} channels in ${layers.size} layers`);
    return repaired;
  }

  async #equalize(graph: Graph, settings: { readonly iterations: number }): Promise<Graph> {
    const { samples, openFloatRunner, constraints } = this.#options;
    const progress = this.#progress('equalize', samples.count);
    const { graph: tapped, needs } = equalizeNeeds(graph, constraints.perChannelClamp);
    const statistics = await collect(tapped, samples, openFloatRunner, needs, progress);
    const equalized = equalize(graph, statistics, {
      iterations: settings.iterations,
      perChannelClamp: constraints.perChannelClamp,
      perChannelWeights: this.#scheme.perChannel,
      weightLevels: 2 ** this.#scheme.bits - 1,
      activationLevels: 255,
      asymmetricWeights: this.#scheme.zeroPoint,
      asymmetricActivations: constraints.activationZeroPoint,
    });
    this.channelFactors = equalized.factors;
    this.#report(
      'equalize',
      `${equalized.channels} channels in ${equalized.groups} groups; ` +
        `modelled noise x ${equalized.noiseRatio.toPrecision(3)}`,
    );
    return equalized.graph;
  }

  #weightsOf(
    graph: Graph,
    conv: ConvNode,
    activations: ReadonlyMap<string, Quantization>,
    statistics: Statistics,
  ): QuantWeight {
    const { recipe } = this.#options;
    const { data, shape } = weightOf(graph, conv);
    const importance =
      recipe.weights.method === 'mse' ? inputPower(graph, conv, statistics) : undefined;
    const chosen = chooseWeightGrid(
      data,
      shape[0]!,
      this.#scheme,
      recipe.weights.method,
      importance,
    );
    const input = activations.get(conv.inputs[0]!)!;
    const bias = biasOf(graph, conv);
    const { grid, raised } = fitBias(chosen, bias, input.scale, this.#scheme.powerOfTwo);
    if (raised > 0) this.#raised.set(conv.name, raised);
    return quantizeWeights(data, shape, this.#scheme, grid);
  }

  #warnRaised(): void {
    if (this.#raised.size === 0) return;
    const layers = [...this.#raised].map(([name, count]) => `${name}: ${count}`).join(', ');
    this.warnings.push(`weight scales raised so that biases fit 32 bits (${layers})`);
  }

  #progress(step: string, total: number): (done: number) => void {
    return (done) => this.#options.onProgress?.({ step, done, total });
  }

  #report(name: string, changed: string): void {
    this.steps.push({ name, changed });
  }
}

function clampedValues(graph: Graph): string[] {
  return graph.nodes.flatMap((node) => ('clamp' in node ? node.outputs : []));
}

/** E[x^2] of the input channel that each weight multiplies, [O, C/group, KH, KW]. */
function inputPower(graph: Graph, conv: ConvNode, statistics: Statistics): Float32Array {
  const { mean, variance } = statistics.moments.get(conv.inputs[0]!)!;
  const shape = weightOf(graph, conv).shape;
  const [outputs = 1, perGroup = 1, height = 1, width = 1] = shape;
  const taps = height * width;
  const power = new Float32Array(outputs * perGroup * taps);
  for (let i = 0; i < power.length; i++) {
    const oc = Math.floor(i / (perGroup * taps));
    const first = Math.floor(oc / (outputs / conv.group)) * perGroup;
    const ic = first + (Math.floor(i / taps) % perGroup);
    power[i] = variance[ic]! + mean[ic]! ** 2;
  }
  return power;
}

function checkGraph(graph: Graph): void {
  if (graph.inputs.length !== 1) {
    throw new ModelError(
      'inputs',
      `graph "${graph.name}"`,
      `expected one input, got ${graph.inputs.length}`,
    );
  }
  for (const conv of convolutionsOf(graph)) {
    requireFiniteData(conv.name, 'weight', weightOf(graph, conv).data);
    requireFiniteData(conv.name, 'bias', biasOf(graph, conv));
    shapeOf(graph, conv.outputs[0]!);
  }
}

function describeRanges(recipe: Recipe, activations: ReadonlyMap<string, Quantization>): string {
  const { method, percentile } = recipe.activations;
  const how = method === 'percentile' ? `percentile ${percentile}` : method;
  return `${activations.size} values by ${how}`;
}

function describeOutput(graph: Graph, activations: ReadonlyMap<string, Quantization>): string {
  return graph.outputs
    .map(({ name }) => `"${name}": ${activations.get(name)!.bits} bits`)
    .join(', ');
}

/** The largest move of a bias, in steps of the layer's output. */
function describeCorrection(
  choices: Choices,
  biases: ReadonlyMap<string, Float64Array>,
  how: string,
): string {
  let largest = 0;
  let where = '';
  for (const conv of convolutionsOf(choices.graph)) {
    const before = choices.biases.get(conv.name)!;
    const { scale } = choices.activations.get(conv.outputs[0]!)!;
    biases.get(conv.name)!.forEach((bias, c) => {
      const steps = Math.abs(bias - before[c]!) / scale;
      if (steps > largest) [largest, where] = [steps, conv.name];
    });
  }
  return `${biases.size} layers, ${how}; largest move ${largest.toFixed(1)} output steps (${where})`;
}
