// SPDX-License-Identifier: Apache-2.0
import { sampleWarnings } from '../calibrate/collect.js';
import { requireNormalizations, type ChannelDistribution } from '../calibrate/data-free/index.js';
import { ModelError, UsageError } from '../errors.js';
import type { Graph, OpenFloatRunner } from '../graph/graph.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import type { SampleSource } from '../graph/samples.js';
import type { TargetConstraints } from '../targets/target.js';
import { offersWide } from './activation-width/widths.js';
import { quantGraphOf } from './choices/choices.js';
import { biasGridOf, type BiasGrid } from './codes/bias.js';
import { requireFiniteData } from './codes/scales.js';
import { weightScheme, type WeightChoice } from './codes/weights.js';
import { requireClampForms } from './network/clamps-per-channel.js';
import { biasOf, convolutionsOf, shapeOf, weightOf } from './network/connections.js';
import type { Recipe } from './recipe.js';
import type { Solver } from './reconstruct/solver.js';
import { Gatherer } from './schedule/gather.js';
import type { Context, LayerFigures, State } from './schedule/step.js';
import { steps } from './steps.js';

/** What one step of the recipe did. */
interface StepReport {
  readonly name: string;
  /** One line for people: what changed, with figures. */
  readonly changed: string;
  /** Figures by layer, where the step has some. */
  readonly layers?: readonly LayerFigures[];
}

/** How far a step is: `done` of `total` images, layers or passes. */
interface Progress {
  readonly step: string;
  readonly done: number;
  readonly total: number;
}

/** What is quantized, from what it learns, and by which recipe. */
export interface QuantizeOptions {
  /** Canonical: folded batch norms, fused clamps. */
  readonly graph: Graph;
  /** Preprocessed calibration images; empty where `inputDistribution` is given. */
  readonly samples: SampleSource;
  /** Quantizes without images: what the network's input looks like. */
  readonly inputDistribution?: ChannelDistribution;
  /** What pixels become in the network's input; asked once samples were taken, none where they are no pixels. */
  readonly pixels?: () => Float32Array | undefined;
  readonly constraints: TargetConstraints;
  readonly recipe: Recipe;
  readonly openFloatRunner: OpenFloatRunner;
  /** Needed by recipes with `reconstruct`. */
  readonly solver?: Solver;
  /** Granularity and width of the weights, where the target leaves a choice. */
  readonly weights?: WeightChoice;
  /** The same for single layers, by name. */
  readonly layerWeights?: ReadonlyMap<string, WeightChoice>;
  /** Layers on 16-bit activations where the target has them besides 8 bits. */
  readonly wideLayers?: 'all' | ReadonlySet<string>;
  readonly onProgress?: (progress: Progress) => void;
}

/** The quantized graph, and what was done to get there. */
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
 * @throws ModelError `no-batch-norms` where they are needed for want of images
 * @throws ModelError `not-finite` naming the layer, `unsupported-op` naming the node, `target-constraint`
 *   naming layers whose clamp the target has not
 */
export async function quantizeGraph(options: QuantizeOptions): Promise<QuantizeResult> {
  checkGraph(options.graph);
  requireClampForms(options.graph, options.constraints.perChannelClamp);
  const context = contextOf(options);
  const gatherer = new Gatherer(context);
  const scheduled = steps.flatMap(({ schedule }) => schedule(context) ?? []);
  const reports = dataFreeReport(options);
  const warnings = options.inputDistribution === undefined ? sampleWarnings(options.samples) : [];
  let state = startingWith(options.graph, biasGridOf(options.constraints));
  for (const [i, step] of scheduled.entries()) {
    const statistics = await gatherer.for(scheduled.slice(i), state);
    const outcome = await step.apply(state, statistics);
    state = { ...state, ...outcome.state };
    const { changed, layers } = outcome;
    reports.push({ name: step.name, changed, ...(layers === undefined ? {} : { layers }) });
    warnings.push(...(outcome.warnings ?? []));
  }
  return {
    quantGraph: quantGraphOf(state),
    steps: reports,
    warnings: [...warnings, ...raisedWarning(state.raised)],
    channelFactors: state.channelFactors,
  };
}

/** Without images: what the statistics come from. */
function dataFreeReport({ graph, inputDistribution }: QuantizeOptions): StepReport[] {
  if (inputDistribution === undefined) return [];
  const without = requireNormalizations(graph);
  const count = convolutionsOf(graph).length - without.length;
  const derived = without.length === 0 ? '' : `, derived from their inputs: ${without.join(', ')}`;
  return [{ name: 'data-free', changed: `statistics from ${count} batch norms${derived}` }];
}

function contextOf(options: QuantizeOptions): Context {
  requireWide(options);
  const { recipe, constraints, samples, openFloatRunner, weights, layerWeights } = options;
  const scheme = weightScheme(constraints, weights);
  const own = new Map(
    [...(layerWeights ?? [])].map(([layer, choice]) => [
      layer,
      weightScheme(constraints, { ...weights, ...choice }),
    ]),
  );
  return {
    recipe,
    constraints,
    scheme,
    schemeOf: (layer) => own.get(layer) ?? scheme,
    wideLayers: options.wideLayers ?? new Set(),
    samples,
    ...(options.inputDistribution === undefined
      ? {}
      : { inputDistribution: options.inputDistribution }),
    ...(options.pixels === undefined ? {} : { pixels: options.pixels }),
    openFloatRunner,
    solver: options.solver,
    onProgress: (step, done, total) => options.onProgress?.({ step, done, total }),
  };
}

function requireWide({ wideLayers = new Set(), constraints }: QuantizeOptions): void {
  if ((wideLayers !== 'all' && wideLayers.size === 0) || offersWide(constraints)) return;
  throw new UsageError(
    'activation-bits',
    '--activation-bits 16',
    `the target takes activations of ${constraints.activations.join(' or ')} only; leave it out, or take tflm`,
  );
}

function startingWith(graph: Graph, biasGrid: BiasGrid | undefined): State {
  return {
    graph,
    biasGrid,
    activations: new Map(),
    weights: new Map(),
    biases: new Map(),
    channelFactors: new Map(),
    raised: new Map(),
    wide: new Set(),
  };
}

/** One line for all layers. */
function raisedWarning(raised: ReadonlyMap<string, number>): string[] {
  if (raised.size === 0) return [];
  const channels = [...raised.values()].reduce((a, b) => a + b, 0);
  const layers = [...raised.keys()].join(', ');
  return [
    `weight scales of ${channels} channel(s) raised so that biases fit 32 bits; layers: ${layers}`,
  ];
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
