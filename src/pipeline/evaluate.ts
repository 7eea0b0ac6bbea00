// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { modelFiles, requireFree, writeFileAtomic } from '../data/index.js';
import { UsageError } from '../errors.js';
import type { ImageOutcome, Progress, RunFacts } from '../evaluate/index.js';
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
import type { EvaluateDocument } from '../report/index.js';
import { toJson } from '../report/index.js';
import { notesOf } from './choose-program.js';
import { runOnWorkers } from './evaluate-on-workers.js';
import { type EvaluationOptions, factsOf, openEvaluation, openPredictors } from './evaluation.js';
import type { InputReader } from './inputs.js';
import type { ProgressListener } from './progress.js';
import { evidenceOf } from './target-choice.js';
import { version } from '../engine/own-package.js';

/** Options of `evaluate`, as on the command line. */
export interface EvaluateModelOptions extends EvaluationOptions {
  /** `sheng2018`, or a JSON file with "top1", "drop", "agreement". */
  readonly expect?: string | undefined;
  /** One image a thread. */
  readonly threads?: number | undefined;
  /** Of a Redis server whose workers (`serveEvaluations`) run the images, instead of this process. */
  readonly queue?: string | undefined;
  /** Images that a worker takes at a time. */
  readonly shard?: number | undefined;
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
  try {
    const started = performance.now();
    const outcomes =
      options.queue === undefined
        ? await runHere(options, run)
        : await runOnWorkers({ ...options, queue: options.queue }, run);
    const result = documentOf(options, run, outcomes, (performance.now() - started) / 1000);
    if (options.out !== undefined)
      writeFileAtomic(
        join(options.out, 'result.json'),
        toJson(result, { kind: 'evaluate', version }),
      );
    if (options.outcomes !== undefined) writeFileAtomic(options.outcomes, outcomesCsv(outcomes));
    return result;
  } finally {
    run.progress.close();
  }
}

async function runHere(
  options: EvaluateModelOptions,
  run: Awaited<ReturnType<typeof prepare>>,
): Promise<ImageOutcome[]> {
  const { inputs, progress, threads } = run;
  const predictors = await openPredictors(run, threads);
  try {
    return await evaluate({
      ...predictors,
      samples: inputs.source,
      progress,
      onImage: (done, total, sample) => {
        inputs.note(sample);
        options.onProgress?.('evaluate', done, total);
      },
    });
  } finally {
    await predictors.close();
  }
}

/** Everything that is known, and refused, before the first image runs. */
async function prepare(options: EvaluateModelOptions) {
  const expected = options.expect === undefined ? undefined : readExpectation(options.expect);
  if (options.outcomes !== undefined) requireFree(options.outcomes, options.overwrite ?? false);
  const evaluation = await openEvaluation(options);
  const { reference, inputs } = evaluation;
  const { count } = inputs.source;
  if (expected !== undefined && reference === undefined) requireNoFloat(expected, count);
  const progress = openRunProgress(options, inputs, () => factsOf(options, evaluation));
  const threads = Math.min(options.threads ?? availableParallelism(), count);
  return { ...evaluation, expected, progress, threads };
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
