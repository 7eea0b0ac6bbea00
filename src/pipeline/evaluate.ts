// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import {
  classFolders,
  modelFiles,
  requireFree,
  resolveLabelOffset,
  toNchw,
  writeFileAtomic,
} from '../data/index.js';
import { ModelError, UsageError } from '../errors.js';
import type { ImageOutcome, Predict, Progress, RunFacts } from '../evaluate/index.js';
import {
  checkExpectation,
  detectableDrop,
  evaluate,
  openProgress,
  outcomesCsv,
  readExpectation,
  requireNoFloat,
  subsetBelow,
  tally,
  unsavedProgress,
} from '../evaluate/index.js';
import { openFloatRunner } from '../float/runner.js';
import type { FloatRunner } from '../graph/graph.js';
import { writeOnnx } from '../onnx/write/float.js';
import { encode } from '../program/encode.js';
import type { CodeTensor } from '../program/executor.js';
import type { Program } from '../program/program.js';
import type { EvaluateDocument } from '../report/index.js';
import { toJson } from '../report/index.js';
import { notesOf, presetOf, programOf } from './choose-program.js';
import type { SampleExecutor } from './executor.js';
import { openExecutor, sha256 } from './executor.js';
import type { InputOptions, InputReader } from './inputs.js';
import { openLabelledInputs, programInput } from './inputs.js';
import type { FloatModel } from './load-model.js';
import { loadFloatModel, loadQuantizedModel } from './load-model.js';
import type { ProgressListener } from './progress.js';
import { classesOf } from './run.js';
import { evidenceOf } from './target-choice.js';
import { version } from './version.js';

export interface EvaluateModelOptions extends Omit<InputOptions, 'input'> {
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
  /** `sheng2018`, or a JSON file with "top1", "drop", "agreement". */
  readonly expect?: string | undefined;
  /** One image a thread. */
  readonly threads?: number | undefined;
  /** CSV with one line an image: file, label, what each side answers and where the label stands. */
  readonly outcomes?: string | undefined;
  /** Folder for progress.json and result.json. */
  readonly out?: string | undefined;
  readonly resume?: boolean | undefined;
  readonly overwrite?: boolean | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * Top-1 and top-5 of a quantized model on labelled images, in exact integers.
 * @throws UsageError, ModelError
 */
export async function evaluateModel(options: EvaluateModelOptions): Promise<EvaluateDocument> {
  const run = await prepare(options);
  const { program, reference, inputs, progress, threads } = run;
  let workers: SampleExecutor[] = [];
  let runner: FloatRunner | undefined;
  try {
    workers = openWorkers(program, inputs, threads);
    runner = reference && (await openFloatRunner(reference.graph, [], { threads: 1 }));
    const started = performance.now();
    const outcomes = await evaluate({
      samples: inputs.source,
      quantized: workers.map(predictor),
      ...(reference && runner ? { float: floatPredictor(reference, runner) } : {}),
      progress,
      onImage: (done, total, sample) => {
        inputs.note(sample);
        options.onProgress?.('evaluate', done, total);
      },
    });
    const result = documentOf(options, run, outcomes, (performance.now() - started) / 1000);
    if (options.out !== undefined)
      writeFileAtomic(
        join(options.out, 'result.json'),
        toJson(result, { kind: 'evaluate', version }),
      );
    if (options.outcomes !== undefined) writeFileAtomic(options.outcomes, outcomesCsv(outcomes));
    return result;
  } finally {
    for (const worker of workers) worker.close();
    await runner?.close();
    progress.close();
  }
}

/** Everything that is known, and refused, before the first image runs. */
async function prepare(options: EvaluateModelOptions) {
  const { images, labels } = options;
  if (images === undefined || labels === undefined) {
    throw new UsageError(
      'missing-option',
      '--images, --labels',
      'give a folder of images and a CSV with the columns file and label',
    );
  }
  const expected = options.expect === undefined ? undefined : readExpectation(options.expect);
  if (options.outcomes !== undefined) requireFree(options.outcomes, options.overwrite ?? false);
  const model = await loadQuantizedModel(options.model, options);
  const program = programOf(model, options.target);
  const reference =
    options.float === undefined ? undefined : await loadFloatModel(options.float, options);
  requireSameInput(program, reference);
  const classes = classesOf(program);
  const labelOffset = resolveLabelOffset(classes, options.labelOffset);
  const labelled = { ...options, images, labels, labelOffset, classes };
  const inputs = openLabelledInputs(programInput(program), presetOf(model), labelled);
  const { count } = inputs.source;
  if (expected !== undefined && reference === undefined) requireNoFloat(expected, count);
  const progress = openRunProgress(options, inputs, () =>
    factsOf(options, program, reference, presetOf(model), labelOffset),
  );
  const threads = Math.min(options.threads ?? availableParallelism(), count);
  return { expected, model, program, reference, labelOffset, inputs, progress, threads };
}

function documentOf(
  options: EvaluateModelOptions,
  run: Awaited<ReturnType<typeof prepare>>,
  outcomes: readonly ImageOutcome[],
  seconds: number,
): EvaluateDocument {
  const { expected, model, program, labelOffset, inputs, progress, threads } = run;
  const resumedFrom = Math.min(progress.done.length, outcomes.length);
  const ran = outcomes.length - resumedFrom;
  const accuracy = tally(outcomes);
  const detectable = detectableDrop(accuracy);
  return {
    model: options.model,
    models: modelFiles({ float: options.float, quantized: options.model }),
    ...accuracy,
    subset: accuracy.n < subsetBelow,
    ...(detectable === undefined ? {} : { detectableDrop: detectable }),
    ...(expected === undefined ? {} : { expect: checkExpectation(expected, accuracy) }),
    target: program.target,
    evidence: evidenceOf(program.target, program.metadata),
    ...inputs.facts(),
    labelOffset,
    threads,
    imagesPerSecond: ran === 0 ? null : ran / seconds,
    resumedFrom,
    notes: notesOf(model, program),
  };
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

function openRunProgress(
  options: EvaluateModelOptions,
  inputs: InputReader,
  facts: () => RunFacts,
): Progress {
  const { out, resume = false, overwrite = false } = options;
  if (out === undefined) {
    if (!resume) return unsavedProgress;
    throw new UsageError('missing-option', '--resume', 'needs --out DIR, where the progress is');
  }
  if (!resume) requireFree(join(out, 'result.json'), overwrite);
  return openProgress(out, facts(), inputs.source, { resume, overwrite });
}

/** What an outcome depends on besides its image; whole files count by content, not by name. */
function factsOf(
  options: EvaluateModelOptions,
  program: Program,
  reference: FloatModel | undefined,
  preset: string | undefined,
  labelOffset: number,
): RunFacts {
  const { labels, preprocess, geometry, inputKind } = options;
  return {
    program: sha256(encode(program)),
    // The graph as it was read, so that weights in other files count as well.
    float: reference === undefined ? null : sha256(writeOnnx(reference.graph)),
    target: program.target,
    labels: labels === classFolders ? classFolders : sha256(readFileSync(labels!)),
    labelOffset,
    preprocess: preprocess ?? preset ?? null,
    geometry: geometry ?? 'auto',
    inputKind: inputKind ?? 'auto',
    version,
  };
}
