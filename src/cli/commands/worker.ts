// SPDX-License-Identifier: Apache-2.0
import { availableParallelism, hostname } from 'node:os';

import { exitCodes, serveEvaluations } from '../../index.js';
import { defineCommand } from '../command.js';
import { integer, option, text, threads } from '../options.js';

export const workerCommand = defineCommand({
  name: 'worker',
  summary: 'runs images for `evaluate --queue` of other processes and machines',
  positionals: [],
  examples: ['lastbit worker --queue redis://127.0.0.1:6379 --threads 2'],
  options: {
    queue: option('--queue <url>', 'the Redis that `evaluate --queue` names', text),
    threads,
    name: option(
      '--name <name>',
      'how others know it (default: host and process)',
      text.optional(),
    ),
    idle: option(
      '--idle <seconds>',
      'end after so long without work (default: never)',
      integer(1).optional(),
    ),
  },
  run: async (options, { print, note }) => {
    const name = options.name ?? `${hostname()}:${process.pid}`;
    const shards = await serveEvaluations({
      ...options,
      name,
      threads: options.threads ?? availableParallelism(),
      onShard: ({ start, end, options: { model } }, seconds) => {
        note(
          { model: String(model), start, last: end - 1, perSecond: (end - start) / seconds },
          (shard) =>
            `${shard.model}: images ${shard.start} to ${shard.last}, ${shard.perSecond.toFixed(0)} images/s\n`,
        );
      },
    });
    print(
      { name, shards },
      (document) => `${document.name}: ${document.shards} ranges of images\n`,
    );
    return exitCodes.ok;
  },
});
