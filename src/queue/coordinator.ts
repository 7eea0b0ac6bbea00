// SPDX-License-Identifier: Apache-2.0
// The side that hands out shards and gathers their results. A shard's id follows from what it is, so a
// coordinator that is started again finds what was done, and nothing is counted twice.
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

import type { Job, Queue } from 'bullmq';

import { ModelError } from '../errors.js';
import { openQueueLibrary } from './connection.js';
import { queueName, type Shard, type ShardResult, shardResultSchema } from './shard.js';

/** A shard that a worker has run. */
export interface FinishedShard {
  readonly shard: Shard;
  readonly result: ShardResult;
}

const pollMs = 100;
/** How many of the shards that are still out are asked after at a time; they are run in order. */
const asked = 64;
/** Runs of a shard whose worker failed, before it is given up. */
const attempts = 3;

/**
 * Puts shards into the queue and yields each one's result once, as workers finish them.
 * @param url of Redis
 * @throws UsageError as {@link openQueueLibrary} does; ModelError `shard-failed` with the worker's reason
 *   after as many attempts
 */
export async function* runShards(
  url: string,
  shards: readonly Shard[],
): AsyncGenerator<FinishedShard, void, void> {
  const { bullmq, connect } = await openQueueLibrary(url);
  const connection = connect();
  const queue: Queue = new bullmq.Queue(queueName, { connection });
  const out = new Map(shards.map((shard) => [idOf(shard), shard]));
  try {
    for (const [id, shard] of out) await submit(queue, id, shard);
    while (out.size > 0) {
      for (const [id, shard] of [...out].slice(0, asked)) {
        const result = await resultOf(queue, id, shard);
        if (result === undefined) continue;
        out.delete(id);
        yield { shard, result };
      }
      if (out.size > 0) await wait(pollMs);
    }
  } finally {
    await withdraw(queue, [...out.keys()]);
    await queue.close();
    connection.disconnect();
  }
}

function idOf(shard: Shard): string {
  return createHash('sha256').update(JSON.stringify(shard)).digest('hex').slice(0, 32);
}

async function submit(queue: Queue, id: string, shard: Shard): Promise<void> {
  const old = (await queue.getJob(id)) as Job | undefined;
  // One that failed before may find better workers now.
  if (old !== undefined && (await old.isFailed())) await old.remove();
  await queue.add('shard', shard, {
    jobId: id,
    attempts,
    backoff: { type: 'fixed', delay: 500 },
    removeOnComplete: false,
    removeOnFail: false,
  });
}

/** The result of a shard that is done, which then leaves the queue; undefined while it is not. */
async function resultOf(queue: Queue, id: string, shard: Shard): Promise<ShardResult | undefined> {
  const state = await queue.getJobState(id);
  // A server that lost its memory is told again.
  if (state === 'unknown') await submit(queue, id, shard);
  if (state !== 'completed' && state !== 'failed') return undefined;
  const job = (await queue.getJob(id)) as Job<Shard, unknown> | undefined;
  if (job === undefined) return undefined;
  if (state === 'failed') throw failed(shard, job.failedReason);
  const parsed = shardResultSchema.safeParse(job.returnvalue);
  const { outcomes } = parsed.data ?? { outcomes: [] };
  if (!parsed.success || outcomes.length !== shard.end - shard.start) {
    throw failed(shard, 'the worker sent what is no result; is it of another version?');
  }
  await job.remove();
  return parsed.data;
}

function failed({ start, end }: Shard, reason: string): ModelError {
  return new ModelError('shard-failed', `images ${start} to ${end - 1}`, reason);
}

/** Shards that nobody waits for any longer; one that is being run stays until it ends. */
async function withdraw(queue: Queue, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const job = (await queue.getJob(id)) as Job | undefined;
    await job?.remove().catch(() => undefined);
  }
}
