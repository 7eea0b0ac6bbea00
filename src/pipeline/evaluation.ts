// SPDX-License-Identifier: Apache-2.0
// A quantized model and its float reference on labelled images: what `evaluate` runs itself, and what a
// worker runs for it on another machine.
import { readFileSync } from 'node:fs';

import { classFolders, resolveLabelOffset, toNchw } from '../data/index.js';
import { ModelError, UsageError } from '../errors.js';
import type { Predict, RunFacts } from '../evaluate/index.js';
import { openFloatRunner } from '../float/runner.js';
import type { FloatRunner } from '../graph/graph.js';
import { writeOnnx } from '../onnx/write/float.js';
import { encode } from '../program/encode.js';
import type { CodeTensor } from '../program/executor.js';
import type { Program } from '../program/program.js';
import { presetOf, programOf } from './choose-program.js';
import type { SampleExecutor } from './executor.js';
import { openExecutor, sha256 } from './executor.js';
import type { InputOptions, InputReader } from './inputs.js';
import { openLabelledInputs, programInput } from './inputs.js';
import type { FloatModel, ProgramModel, QuantizedModel } from './load-model.js';
import { loadFloatModel, loadQuantizedModel } from './load-model.js';
import { classesOf } from './run.js';
import { version } from '../engine/own-package.js';

/** What is run, and on which images. */
export interface EvaluationOptions extends Omit<InputOptions, 'input'> {
  /** Any quantized model. */
  readonly model: string;
  readonly target?: string | undefined;
  /** Folder that the labels' files are relative to, or one .npy of many. */
  readonly images?: string | undefined;
  /** CSV with the columns file and label, `val.txt`, one .npy, or `folders`: a folder for each class. */
  readonly labels?: string | undefined;
  readonly labelOffset?: number | undefined;
  /** Float reference on the same images. */
  readonly float?: string | undefined;
}

/** Models that are read and images that are listed; nothing has run yet. */
export interface Evaluation {
  readonly model: QuantizedModel | ProgramModel;
  readonly program: Program;
  readonly reference: FloatModel | undefined;
  readonly labelOffset: number;
  readonly inputs: InputReader;
}

/** @throws UsageError, ModelError: everything that is refused before the first image runs */
export async function openEvaluation(options: EvaluationOptions): Promise<Evaluation> {
  const { images, labels } = options;
  if (images === undefined || labels === undefined) {
    throw new UsageError(
      'missing-option',
      '--images, --labels',
      'give a folder of images and a CSV with the columns file and label',
    );
  }
  const model = await loadQuantizedModel(options.model, options);
  const program = programOf(model, options.target);
  const reference =
    options.float === undefined ? undefined : await loadFloatModel(options.float, options);
  requireSameInput(program, reference);
  const classes = classesOf(program);
  const labelOffset = resolveLabelOffset(classes, options.labelOffset);
  const labelled = { ...options, images, labels, labelOffset, classes };
  const inputs = openLabelledInputs(programInput(program), presetOf(model), labelled);
  return { model, program, reference, labelOffset, inputs };
}

/** Both sides, ready to run. */
export interface Predictors {
  /** One for each thread. */
  readonly quantized: readonly Predict[];
  readonly float?: Predict;
  close(): Promise<void>;
}

export async function openPredictors(
  { program, reference, inputs }: Evaluation,
  threads: number,
): Promise<Predictors> {
  const workers = openWorkers(program, inputs, threads);
  const closeWorkers = (): void => {
    for (const worker of workers) worker.close();
  };
  try {
    const runner = reference && (await openFloatRunner(reference.graph, [], { threads: 1 }));
    return {
      quantized: workers.map(predictor),
      ...(reference && runner ? { float: floatPredictor(reference, runner) } : {}),
      close: async () => {
        closeWorkers();
        await runner?.close();
      },
    };
  } catch (error) {
    closeWorkers();
    throw error;
  }
}

function openWorkers(program: Program, inputs: InputReader, threads: number): SampleExecutor[] {
  return Array.from({ length: threads }, () => openExecutor(program, inputs.preprocessing));
}

function predictor(executor: SampleExecutor): Predict {
  return async (sample) => {
    const { outputs, trap } = await executor.run(sample);
    if (!trap) return realsOf(outputs[0]!);
    throw new ModelError(
      'accumulator-trap',
      `layer "${trap.layer}"`,
      `its accumulator overflows on ${sample.name} (element ${trap.element}, value ${trap.value.toString()}); this target traps there, so there is no accuracy`,
    );
  };
}

/** In the order of the float network. Different codes stay different numbers, so ties are those of the codes. */
function realsOf({ data, scale, zeroPoint, channels }: CodeTensor): Float64Array {
  return toNchw(
    Float64Array.from(data, (code) => (code - zeroPoint) * scale),
    channels,
  );
}

function floatPredictor({ graph }: FloatModel, runner: FloatRunner): Predict {
  const output = graph.outputs[0]!.name;
  return async (sample) => (await runner.run(sample.input)).get(output)!;
}

function requireSameInput(program: Program, reference: FloatModel | undefined): void {
  if (!reference) return;
  const { height, width, channels } = programInput(program);
  const own = [1, channels, height, width];
  const [input] = reference.graph.inputs;
  const [output] = reference.graph.outputs;
  const classes = output!.shape.reduce((a, b) => a * b, 1);
  if (String(input!.shape) === String(own) && classes === classesOf(program)) return;
  throw new ModelError(
    'different-networks',
    reference.file,
    `it takes [${input!.shape.join(', ')}] and gives ${classes} classes, the quantized model [${own.join(', ')}] and ${classesOf(program)}`,
  );
}

/** What an outcome depends on besides its image; whole files count by content, not by name. */
export function factsOf(
  options: EvaluationOptions,
  { model, program, reference, labelOffset }: Evaluation,
): RunFacts {
  const { labels, preprocess, geometry, inputKind } = options;
  return {
    program: sha256(encode(program)),
    // The graph as it was read, so that weights in other files count as well.
    float: reference === undefined ? null : sha256(writeOnnx(reference.graph)),
    target: program.target,
    labels: labels === classFolders ? classFolders : sha256(readFileSync(labels!)),
    labelOffset,
    preprocess: preprocess ?? presetOf(model) ?? null,
    geometry: geometry ?? 'auto',
    inputKind: inputKind ?? 'auto',
    version,
  };
}
