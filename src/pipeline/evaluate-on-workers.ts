// SPDX-License-Identifier: Apache-2.0
// An evaluation whose images other processes run, on this machine or on others that see the same files.
import { resolve } from 'node:path';

import { classFolders, type LoadedSource } from '../data/index.js';
import { ModelError } from '../errors.js';
import { type ImageOutcome, type Progress, unbroken } from '../evaluate/index.js';
import { type FinishedShard, runShards, type Shard } from '../queue/index.js';
import { type Evaluation, type EvaluationOptions, factsOf } from './evaluation.js';
import type { ProgressListener } from './progress.js';

const defaultShard = 50;

export interface QueuedOptions extends EvaluationOptions {
  readonly queue: string;
  readonly shard?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * Hands the images that are left to workers and puts their outcomes in order. Whatever the number of workers,
 * and whichever of them die, the outcomes are those of one process.
 * @throws UsageError `missing-package`, `queue-unreachable`; ModelError `shard-failed`, `worker-differs`
 */
export async function runOnWorkers(
  options: QueuedOptions,
  evaluation: Evaluation & { readonly progress: Progress },
): Promise<ImageOutcome[]> {
  const { inputs, progress } = evaluation;
  const { count } = inputs.source;
  const outcomes: (ImageOutcome | undefined)[] = [...progress.done].slice(0, count);
  let done = outcomes.length;
  const shards = shardsOf(options, evaluation, { start: done, end: count });
  for await (const { shard, result } of runShards(options.queue, shards)) {
    requireSameImages({ shard, result }, inputs.source);
    result.outcomes.forEach((outcome, i) => {
      outcomes[shard.start + i] = outcome as ImageOutcome;
    });
    if (result.preprocessed) inputs.preprocessing();
    for (const [how, images] of Object.entries(result.applied)) inputs.note({ how }, images);
    done += result.outcomes.length;
    progress.save(unbroken(outcomes));
    options.onProgress?.('evaluate', done, count);
  }
  return unbroken(outcomes);
}

function shardsOf(
  options: QueuedOptions,
  evaluation: Evaluation,
  range: { readonly start: number; readonly end: number },
): readonly Shard[] {
  const size = options.shard ?? defaultShard;
  const sent = sentOptions(options);
  const facts = factsOf(options, evaluation);
  const count = Math.ceil((range.end - range.start) / size);
  return Array.from({ length: count }, (_, i) => {
    const start = range.start + i * size;
    return { facts, options: sent, start, end: Math.min(start + size, range.end) };
  });
}

/** Names of options that a worker needs, and of those whose values are files. */
const names = [
  ...['target', 'labelOffset', 'preprocess', 'geometry', 'inputKind'],
  ...['limit', 'maxMemory', 'maxSteps'],
] as const;
const files = ['model', 'float', 'images', 'labels'] as const;

function sentOptions(options: QueuedOptions): Shard['options'] {
  const given = options as unknown as Readonly<Record<string, string | number | undefined>>;
  const entries = [
    ...names.map((name) => [name, given[name]] as const),
    ...files.map((name) => [name, absolute(given[name])] as const),
  ];
  const target = absoluteTarget(options.target);
  return Object.fromEntries(
    [...entries, ['target', target] as const].filter(([, value]) => value !== undefined),
  ) as Shard['options'];
}

function absolute(file: string | number | undefined): string | number | undefined {
  return typeof file === 'string' && file !== classFolders ? resolve(file) : file;
}

function absoluteTarget(target: string | undefined): string | undefined {
  return target !== undefined && /\.json$/i.test(target) ? resolve(target) : target;
}

/** A worker that sees other files under the same names must not go unnoticed. */
function requireSameImages({ shard, result }: FinishedShard, { items }: LoadedSource): void {
  const other = result.outcomes.findIndex(({ name, sha256 }, i) => {
    const item = items[shard.start + i]!;
    return name !== item.name || sha256 !== item.content();
  });
  if (other < 0) return;
  throw new ModelError(
    'worker-differs',
    items[shard.start + other]!.name,
    `worker ${result.worker} saw another file there; all machines have to see the same images`,
  );
}
