// SPDX-License-Identifier: Apache-2.0
// A worker: runs ranges of images for evaluations that other processes coordinate.
import type { LoadedSource } from '../data/index.js';
import { UsageError } from '../errors.js';
import { changedFacts, evaluate, unsavedProgress } from '../evaluate/index.js';
import { serveShards, type Shard, type ShardResult } from '../queue/index.js';
import {
  type Evaluation,
  type EvaluationOptions,
  factsOf,
  openEvaluation,
  openPredictors,
  type Predictors,
} from './evaluation.js';

export interface ServeOptions {
  /** Of Redis. */
  readonly queue: string;
  /** One image a thread. */
  readonly threads: number;
  /** How others know this worker. */
  readonly name: string;
  /** End after so many seconds without work; absent: never. */
  readonly idle?: number | undefined;
  /** A worker that is silent for so long has lost its images to another; default 10. */
  readonly lockSeconds?: number | undefined;
  readonly onShard?: ((shard: Shard, seconds: number) => void) | undefined;
}

/**
 * Runs images for evaluations elsewhere until there have been none for a while.
 * @returns how many ranges of images were run
 * @throws UsageError `missing-package`, `queue-unreachable`
 */
export async function serveEvaluations(options: ServeOptions): Promise<number> {
  const opened = new OpenedEvaluation(options.threads);
  try {
    return await serveShards({
      url: options.queue,
      idleSeconds: options.idle,
      lockSeconds: options.lockSeconds,
      run: async (shard) => {
        const started = performance.now();
        const result = await runShard(shard, await opened.of(shard), options.name);
        options.onShard?.(shard, (performance.now() - started) / 1000);
        return result;
      },
    });
  } finally {
    await opened.close();
  }
}

interface Opened {
  readonly key: string;
  readonly evaluation: Evaluation;
  readonly predictors: Predictors;
}

/** The evaluation of the newest shard stays open, as the next one is mostly of the same. */
class OpenedEvaluation {
  private current: Opened | undefined;

  constructor(private readonly threads: number) {}

  async of(shard: Shard): Promise<Opened> {
    const key = JSON.stringify([shard.facts, shard.options]);
    if (this.current?.key === key) return this.current;
    await this.close();
    const options = shard.options as unknown as EvaluationOptions;
    const evaluation = await openEvaluation(options);
    requireSameFacts(shard, factsOf(options, evaluation));
    const predictors = await openPredictors(evaluation, this.threads);
    return (this.current = { key, evaluation, predictors });
  }

  async close(): Promise<void> {
    await this.current?.predictors.close();
    this.current = undefined;
  }
}

function requireSameFacts({ facts }: Shard, own: Shard['facts']): void {
  const changes = changedFacts(facts, own);
  if (changes.length === 0) return;
  throw new UsageError(
    'worker-differs',
    'worker',
    `it has other inputs than the evaluation (${changes.join('; ')}); give both the same files and versions`,
  );
}

async function runShard(
  { start, end }: Shard,
  { evaluation, predictors }: Opened,
  worker: string,
): Promise<ShardResult> {
  const { inputs } = evaluation;
  const applied: Record<string, number> = {};
  const outcomes = await evaluate({
    ...predictors,
    samples: rangeOf(inputs.source, start, end),
    progress: { ...unsavedProgress, isKept: true },
    onImage: (_done, _total, { how }) => {
      applied[how] = (applied[how] ?? 0) + 1;
    },
  });
  return {
    outcomes: outcomes as ShardResult['outcomes'],
    applied,
    preprocessed: inputs.facts().preprocess !== null,
    worker,
  };
}

/** Images from `start` to before `end`. */
function rangeOf(source: LoadedSource, start: number, end: number): LoadedSource {
  const rest = source.skip(start);
  const count = end - start;
  return {
    count,
    items: source.items.slice(start, end),
    skip: (more) => rangeOf(source, start + more, end),
    async *[Symbol.asyncIterator]() {
      let taken = 0;
      for await (const sample of rest) {
        yield sample;
        if (++taken === count) return;
      }
    },
  };
}
