// SPDX-License-Identifier: Apache-2.0
export { runShards } from './coordinator.js';
export type { FinishedShard } from './coordinator.js';
export type { Shard, ShardResult } from './shard.js';
export { serveShards } from './worker.js';
