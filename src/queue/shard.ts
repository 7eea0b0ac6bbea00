// SPDX-License-Identifier: Apache-2.0
// What travels through the queue: a range of an evaluation's images, and what became of them. Both ends
// check it, as the other may be another version of lastbit, or no lastbit at all.
import { z } from 'zod';

import { imageOutcomeSchema } from '../evaluate/index.js';

const value = z.union([z.string(), z.number(), z.null()]);

/** A range of images of one evaluation. */
export const shardSchema = z.strictObject({
  /** What outcomes depend on, by name: a worker whose own facts differ refuses the shard. */
  facts: z.record(z.string(), value),
  /** Options of `evaluate` that say what is run on which images; paths are absolute. */
  options: z.record(z.string(), z.union([z.string(), z.number()])),
  /** First image, and the one behind the last. */
  start: z.int().min(0),
  end: z.int().min(1),
});

export type Shard = z.output<typeof shardSchema>;

export const shardResultSchema = z.strictObject({
  /** In the order of the images. */
  outcomes: z.array(imageOutcomeSchema),
  /** How images became inputs, in words, and of how many that holds. */
  applied: z.record(z.string(), z.int()),
  /** Whether pixels were preprocessed. */
  preprocessed: z.boolean(),
  /** Name of the worker. */
  worker: z.string(),
});

export type ShardResult = z.output<typeof shardResultSchema>;

/** Name of the queue in Redis: both ends have to mean the same. */
export const queueName = 'lastbit-evaluate';
