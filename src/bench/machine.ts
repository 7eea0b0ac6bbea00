// SPDX-License-Identifier: Apache-2.0
import { cpus } from 'node:os';
import { quantile } from './latency.js';

export interface Quietness {
  /** p90 over p50 of a fixed piece of work: 1 on a machine that does nothing else. */
  readonly jitter: number;
  readonly quiet: boolean;
}

/** The processor's own name, with the number of cores this process sees. */
export function cpuName(): string {
  const cores = cpus();
  return `${cores[0]?.model.trim() ?? 'unknown'} x ${cores.length}`;
}

function fixedWork(): number {
  let state = 1;
  for (let i = 0; i < 200_000; i += 1) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return state;
}

/**
 * Repeats a fixed piece of integer work (about a quarter of a millisecond) and compares its slow
 * repetitions with its median: another process on the core shows as a long tail.
 */
export function measureQuietness(repetitions = 400): Quietness {
  const times: number[] = [];
  let sink = 0;
  for (let i = 0; i < repetitions; i += 1) {
    const begin = process.hrtime.bigint();
    sink ^= fixedWork();
    times.push(Number(process.hrtime.bigint() - begin));
  }
  const ascending = Float64Array.from(times).sort();
  const jitter = quantile(ascending, 0.9) / quantile(ascending, 0.5);
  // `sink` keeps the work from being optimised away.
  return { jitter, quiet: jitter < 1.15 && Number.isInteger(sink) };
}
