// SPDX-License-Identifier: Apache-2.0
import { formatFactors, sizeOfQuantGraph } from '../analyze/index.js';
import { requireFree, writeFileAtomic } from '../data/index.js';
import { UsageError } from '../errors.js';
import { nativeSolver } from '../engine/solver.js';
import { openFloatRunner } from '../float/runner.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { writeQdq } from '../onnx/qdq-write.js';
import { writeQop } from '../onnx/qop-write.js';
import { lower } from '../program/lower.js';
import { quantizeGraph } from '../quantize/quantize.js';
import { findRecipe, withChanges, type RecipeChanges } from '../quantize/recipe.js';
import type { QuantizeDocument } from '../report/index.js';
import { openCalibration, type CalibrationOptions } from './calibration.js';
import { defaultFloatTarget, omissionsOf } from './choose-program.js';
import { loadFloatModel } from './load-model.js';
import type { ProgressListener } from './progress.js';
import { resolveTarget } from './target-choice.js';
import { version } from './version.js';

/** `model` is float ONNX. */
export interface QuantizeModelOptions extends RecipeChanges, CalibrationOptions {
  readonly output: string;
  /** QDQ (default) or QOperator. */
  readonly form?: 'qdq' | 'qop' | undefined;
  readonly target?: string | undefined;
  /** `best`, `naive` or a JSON file. */
  readonly recipe?: string | undefined;
  readonly weights?: 'per-tensor' | 'per-channel' | undefined;
  readonly weightBits?: number | undefined;
  readonly threads?: number | undefined;
  readonly overwrite?: boolean | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** What `quantizeInMemory` makes. */
export interface QuantizedResult {
  readonly quantGraph: QuantGraph;
  readonly document: Omit<QuantizeDocument, 'output' | 'form'>;
}

/**
 * Quantizes a float model after training and writes it as ONNX.
 * @throws UsageError, ModelError; nothing is written then
 */
export async function quantizeModel(options: QuantizeModelOptions): Promise<QuantizeDocument> {
  const { output } = options;
  if (!output.toLowerCase().endsWith('.onnx')) {
    throw new UsageError('output-form', output, 'expected a name that ends in .onnx');
  }
  requireFree(output, options.overwrite ?? false);
  const { quantGraph, document } = await quantizeInMemory(options);
  const form = options.form ?? 'qdq';
  writeFileAtomic(output, form === 'qop' ? writeQop(quantGraph) : writeQdq(quantGraph));
  return { output, form, ...document };
}

/** The same without writing. */
export async function quantizeInMemory(
  options: Omit<QuantizeModelOptions, 'output' | 'form' | 'overwrite'>,
): Promise<QuantizedResult> {
  const started = performance.now();
  const target = resolveTarget(options.target ?? defaultFloatTarget);
  const recipe = withChanges(findRecipe(options.recipe ?? 'best'), options);
  const { graph } = await loadFloatModel(options.model);
  const calibration = openCalibration(graph, options);
  const { quantGraph, steps, warnings, channelFactors } = await quantizeGraph({
    graph,
    samples: calibration.samples,
    ...(calibration.inputLaw === undefined ? {} : { inputLaw: calibration.inputLaw }),
    constraints: target.constraints,
    recipe,
    solver: nativeSolver(options.threads ?? 1),
    openFloatRunner: (part, taps) => openFloatRunner(part, taps, { threads: options.threads ?? 1 }),
    weights: weightChoice(options),
    ...(options.onProgress ? { onProgress: stages(options.onProgress) } : {}),
  });
  const facts = calibration.facts();
  const factors = formatFactors(channelFactors);
  const described: QuantGraph = {
    ...quantGraph,
    metadata: {
      ...quantGraph.metadata,
      target: target.id,
      calibration: calibration.id(),
      version,
      ...(factors === undefined ? {} : { channelFactors: factors }),
      ...(facts.preprocess === null ? {} : { preprocess: facts.preprocess }),
    },
  };
  // What the target cannot represent shows here, before anything is written.
  const omissions = omissionsOf(lower(described, target));
  return {
    quantGraph: described,
    document: {
      target: target.id,
      method: recipe.name,
      layers: sizeOfQuantGraph(described).layers,
      images: calibration.samples.count,
      steps,
      warnings: [...warnings, ...omissions],
      ...facts,
      seconds: (performance.now() - started) / 1000,
      peakRssMiB: process.resourceUsage().maxRSS / 1024,
    },
  };
}

function weightChoice(options: Pick<QuantizeModelOptions, 'weights' | 'weightBits'>) {
  const { weights, weightBits } = options;
  return {
    ...(weights === undefined ? {} : { perChannel: weights === 'per-channel' }),
    ...(weightBits === undefined ? {} : { bits: weightBits }),
  };
}

function stages(listener: ProgressListener) {
  return ({ step, done, total }: { step: string; done: number; total: number }): void => {
    listener(step, done, total);
  };
}
