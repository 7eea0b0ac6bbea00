// SPDX-License-Identifier: Apache-2.0
// The side that runs shards. A worker that dies holds a lock that runs out; another one then takes its shard.
import { setTimeout as wait } from 'node:timers/promises';

import { LastbitError } from '../errors.js';
import { openQueueLibrary } from './connection.js';
import { queueName, type Shard, type ShardResult, shardSchema } from './shard.js';

export interface WorkerOptions {
  /** Of Redis. */
  readonly url: string;
  readonly run: (shard: Shard) => Promise<ShardResult>;
  /** End after so many seconds without a shard; absent: never. */
  readonly idleSeconds?: number | undefined;
  /** A worker that is silent for so long has lost its shard; default 10. */
  readonly lockSeconds?: number | undefined;
}

/** How often a shard may be lost before it is taken for one that kills workers. */
const losses = 5;

/**
 * Runs shards until it has been idle for long enough.
 * @returns how many shards were run
 * @throws UsageError as {@link openQueueLibrary} does
 */
export async function serveShards(options: WorkerOptions): Promise<number> {
  const { url, run, idleSeconds, lockSeconds = 10 } = options;
  const { bullmq, connect } = await openQueueLibrary(url);
  const connection = connect();
  let [done, running, lastAt] = [0, 0, performance.now()];
  const worker = new bullmq.Worker(
    queueName,
    async ({ data }) => {
      running++;
      try {
        return await run(parsed(data));
      } catch (error) {
        throw final(bullmq.UnrecoverableError, error);
      } finally {
        running--;
        done++;
        lastAt = performance.now();
      }
    },
    {
      connection,
      concurrency: 1,
      lockDuration: 1000 * lockSeconds,
      stalledInterval: 500 * lockSeconds,
      maxStalledCount: losses,
    },
  );
  worker.on('error', () => undefined);
  const isIdle = (): boolean =>
    idleSeconds !== undefined && running === 0 && performance.now() - lastAt > 1000 * idleSeconds;
  while (!isIdle()) await wait(100);
  await worker.close();
  connection.disconnect();
  return done;
}

function parsed(data: unknown): Shard {
  const result = shardSchema.safeParse(data);
  if (result.success) return result.data;
  throw new Error(
    'the shard is not one that this version of lastbit knows; use the same on all machines',
  );
}

/** What is wrong with a model, an image or a version stays wrong: only other errors are tried again. */
function final(Unrecoverable: new (message: string) => Error, error: unknown): unknown {
  return error instanceof LastbitError ? new Unrecoverable(error.message) : error;
}
