// SPDX-License-Identifier: Apache-2.0
import { movedChannels, sizeOfQuantGraph } from '../analyze/index.js';
import { requireFree, writeFileAtomic, modelFiles } from '../data/index.js';
import { nativeSolver } from '../engine/solver.js';
import { UsageError } from '../errors.js';
import { openFloatRunner } from '../float/runner.js';
import { leftOutOf } from '../graph/left-out.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { writeQdq } from '../onnx/write/qdq.js';
import { writeQop } from '../onnx/write/qop.js';
import { lower } from '../program/lower.js';
import type { SchemeChoice } from '../quantize/mixed/choose-schemes.js';
import { quantizeMixed } from '../quantize/mixed/quantize-mixed.js';
import { quantizeGraph, type QuantizeOptions, type QuantizeResult } from '../quantize/quantize.js';
import { findRecipe, withChanges, type RecipeChanges } from '../quantize/recipe.js';
import type { QuantizeDocument } from '../report/index.js';
import { writeTflite } from '../tflite/write/write.js';
import { openCalibration, type CalibrationOptions } from './calibration.js';
import { defaultFloatTarget, omissionsOf } from './choose-program.js';
import { loadFloatModel } from './load-model.js';
import { narrowAccumulators } from './narrow-accumulators.js';
import type { ProgressListener } from './progress.js';
import { slowLayers } from './slow-layers.js';
import { resolveTarget } from './target-choice.js';
import { requireTfliteTarget } from './tflite-target.js';
import { version } from '../engine/own-package.js';

/** `model` is float ONNX. */
export interface QuantizeModelOptions extends RecipeChanges, CalibrationOptions {
  /** `.onnx`, or `.tflite` for a target whose runtime reads it. */
  readonly output: string;
  /** Of an `.onnx` file: QDQ (default) or QOperator; `integer` is what `convert` makes of either. */
  readonly form?: 'qdq' | 'qop' | 'integer' | undefined;
  readonly target?: string | undefined;
  /** `best`, `naive` or a JSON file. */
  readonly recipe?: string | undefined;
  readonly weights?: 'per-tensor' | 'per-channel' | undefined;
  readonly weightBits?: number | undefined;
  /** 16: layers on 16-bit activations (TFLite's 16x8); with `auto`, where they are needed. */
  readonly activationBits?: 8 | 16 | undefined;
  /** Chooses a weight scheme for each layer by measured sensitivity. */
  readonly auto?: boolean | undefined;
  /** For `auto`: points of agreement with float to be given up at most (1). */
  readonly maxDrop?: number | undefined;
  readonly threads?: number | undefined;
  readonly overwrite?: boolean | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** What `quantizeInMemory` makes. */
export interface QuantizedResult {
  readonly quantGraph: QuantGraph;
  readonly document: Omit<QuantizeDocument, 'output' | 'form' | 'models'>;
}

/**
 * Quantizes a float model after training and writes it as ONNX or TFLite.
 * @throws UsageError, ModelError; nothing is written then
 */
export async function quantizeModel(options: QuantizeModelOptions): Promise<QuantizeDocument> {
  const { output } = options;
  const form = formOf(options);
  requireFree(output, options.overwrite ?? false);
  const { quantGraph, document } = await quantizeInMemory(options);
  writeFileAtomic(output, writers[form](quantGraph));
  const slow = slowLayers(quantGraph, resolveTarget(options.target ?? defaultFloatTarget));
  const warnings = [...document.warnings, ...(slow === undefined ? [] : [slow])];
  const models = modelFiles({ float: options.model, quantized: output });
  return { output, form, models, ...document, warnings };
}

const writers = { qdq: writeQdq, qop: writeQop, tflite: writeTflite } as const;

function formOf({ form, output, target }: QuantizeModelOptions): QuantizeDocument['form'] {
  const name = output.toLowerCase();
  if (name.endsWith('.tflite')) {
    if (form !== undefined) {
      throw new UsageError('output-form', output, '--form is for .onnx files; leave it away');
    }
    requireTfliteTarget(resolveTarget(target ?? defaultFloatTarget), output);
    return 'tflite';
  }
  if (!name.endsWith('.onnx')) {
    throw new UsageError('output-form', output, 'expected a name that ends in .onnx or .tflite');
  }
  if (form !== 'integer') return form ?? 'qdq';
  // An integer file is bound to its target and cannot be read again, so it is not the only result.
  throw new UsageError(
    'output-form',
    '--form integer',
    `quantize to qdq or qop first, then: lastbit convert ${output} --form integer -o INTEGER.onnx`,
  );
}

/** The same without writing. */
export async function quantizeInMemory(
  options: Omit<QuantizeModelOptions, 'output' | 'form' | 'overwrite'>,
): Promise<QuantizedResult> {
  const started = performance.now();
  const target = resolveTarget(options.target ?? defaultFloatTarget);
  requireConsistent(options);
  const recipe = withChanges(findRecipe(options.recipe ?? 'best'), options);
  const { graph } = await loadFloatModel(options.model, options);
  const calibration = openCalibration(graph, options);
  const { quantGraph, steps, warnings, channelFactors, choice } = await quantizeBy(options, {
    graph,
    samples: calibration.samples,
    ...(calibration.inputDistribution === undefined
      ? {}
      : { inputDistribution: calibration.inputDistribution }),
    pixels: () => calibration.pixels(),
    constraints: target.constraints,
    recipe,
    solver: nativeSolver(options.threads ?? 1),
    openFloatRunner: (part, taps, choice) =>
      openFloatRunner(part, taps, { ...choice, threads: options.threads ?? 1 }),
    weights: weightChoice(options),
    ...(options.activationBits === 16 ? { wideLayers: 'all' } : {}),
    ...(options.onProgress ? { onProgress: stages(options.onProgress) } : {}),
  });
  const facts = calibration.facts();
  const factors = movedChannels(channelFactors);
  const described: QuantGraph = {
    ...quantGraph,
    metadata: {
      ...quantGraph.metadata,
      target: target.id,
      calibration: calibration.id(),
      version,
      ...(factors.size === 0 ? {} : { channelFactors: factors }),
      ...(facts.preprocess === null ? {} : { preprocess: facts.preprocess }),
    },
  };
  // What the target cannot represent shows here, before anything is written.
  const program = lower(described, target);
  const narrow = narrowAccumulators(program, target);
  return {
    quantGraph: described,
    document: {
      target: target.id,
      method: recipe.name,
      layers: sizeOfQuantGraph(described).layers,
      images: calibration.samples.count,
      steps,
      warnings: [
        ...leftOutOf(graph),
        ...warnings,
        ...omissionsOf(program),
        ...(narrow === undefined ? [] : [narrow]),
      ],
      ...(choice === undefined ? {} : { choice }),
      ...facts,
      seconds: (performance.now() - started) / 1000,
      peakRssMiB: process.resourceUsage().maxRSS / 1024,
    },
  };
}

type Quantized = QuantizeResult & { readonly choice?: SchemeChoice };

function quantizeBy(
  { auto = false, maxDrop = 1 }: Pick<QuantizeModelOptions, 'auto' | 'maxDrop'>,
  stage: QuantizeOptions,
): Promise<Quantized> {
  return auto ? quantizeMixed(stage, maxDrop) : quantizeGraph(stage);
}

function requireConsistent(options: Partial<QuantizeModelOptions>): void {
  const { auto = false, maxDrop, dataFree, weights, weightBits } = options;
  if (!auto && maxDrop !== undefined) {
    throw new UsageError('missing-option', '--max-drop', 'is the limit of --auto; add --auto');
  }
  if (!auto) return;
  const given = { '--data-free': dataFree, '--weights': weights, '--weight-bits': weightBits };
  const [clash] =
    Object.entries(given).find(([, value]) => value !== undefined && value !== false) ?? [];
  if (clash === undefined) return;
  const why = clash === '--data-free' ? 'it measures on images' : 'it chooses that for each layer';
  throw new UsageError('clash', `--auto, ${clash}`, `give one of them: ${why}`);
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
