// SPDX-License-Identifier: Apache-2.0
// Memory is measured in a process that does nothing else: this one holds the model, its graph and
// perhaps other runtimes.
import { spawnSync } from 'node:child_process';
import { findEngine } from '../engine/find-engine.js';
import { UsageError } from '../errors.js';

export interface MemoryUse {
  /** Resident set after ten runs minus that before the load: one thread, model bytes released. */
  readonly addedRssMiB: number;
  /** Greatest resident set of that process, Node itself included. */
  readonly peakRssMiB: number;
  /** The same process before the load, for comparison. */
  readonly emptyRssMiB: number;
}

/** Runs in the child; no part of lastbit but the addon is loaded there. */
const script = `
  const addon = require(process.argv[1]);
  const tier = process.argv[3];
  const rss = () => { gc(); gc(); return process.memoryUsage.rss(); };
  const arrays = [Uint8Array, Int8Array, Int16Array, Int32Array];
  const allocate = ({ type, height, width, channels }) => new arrays[type](height * width * channels);
  const before = rss();
  let engine = new addon.Engine(require('fs').readFileSync(process.argv[2]), 1, tier, false);
  const { tensors, input, outputs } = engine.info();
  const codes = allocate(tensors[input]);
  const filled = outputs.map((index) => allocate(tensors[index]));
  for (let run = 0; run < 10; run += 1) engine.runSync(codes, outputs, filled);
  const after = rss();
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ before, after, peak }));
`;

const mebi = 1024 * 1024;

/**
 * Measures what loading and running a program adds to a process.
 *
 * @param file a .lbp file
 * @param isa instruction set to force, or '' for the best
 */
export function measureMemory(file: string, isa: string): MemoryUse {
  const { path } = findEngine();
  const child = spawnSync(process.execPath, ['--expose-gc', '-e', script, path, file, isa], {
    encoding: 'utf8',
  });
  if (child.status !== 0) {
    const reason = child.stderr.trim().split('\n').at(-1) ?? '';
    throw new UsageError(
      'memory-child',
      file,
      `the process that measures memory failed: ${reason}`,
    );
  }
  const { before, after, peak } = JSON.parse(child.stdout) as Record<
    'before' | 'after' | 'peak',
    number
  >;
  return {
    addedRssMiB: (after - before) / mebi,
    peakRssMiB: peak / mebi,
    emptyRssMiB: before / mebi,
  };
}
