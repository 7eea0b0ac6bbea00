// SPDX-License-Identifier: Apache-2.0
import { cpus } from 'node:os';
import { quantile } from './latency.js';

export interface Quietness {
  /** p90 over p50 of a fixed piece of work: 1 on a machine that does nothing else. */
  readonly jitter: number;
  /** Cores that other processes kept busy while this one slept. */
  readonly othersBusyCores: number;
  readonly quiet: boolean;
}

/** The processor's own name, with the number of cores this process sees. */
export function cpuName(): string {
  const cores = cpus();
  return `${cores[0]?.model.trim() ?? 'unknown'} x ${cores.length}`;
}

// Taken once: inside of a vm context (as in jest) each look-up of a global costs more than the work.
const { imul } = Math;

function fixedWork(): number {
  let state = 1;
  for (let i = 0; i < 200_000; i += 1) state = (imul(state, 1664525) + 1013904223) | 0;
  return state;
}

/** p90 over p50 of a quarter of a millisecond of integer work. */
function jitterOf(repetitions: number): number {
  const times: number[] = [];
  let sink = 0;
  for (let i = 0; i < repetitions; i += 1) {
    const begin = process.hrtime.bigint();
    sink ^= fixedWork();
    times.push(Number(process.hrtime.bigint() - begin));
  }
  const ascending = Float64Array.from(times).sort();
  // `sink` keeps the work from being optimised away.
  return Number.isInteger(sink) ? quantile(ascending, 0.9) / quantile(ascending, 0.5) : NaN;
}

/** Time of all cores since the machine started, in ticks. */
function coreTimes(): { readonly busy: number; readonly all: number } {
  const sums = cpus().map(({ times: { user, nice, sys, irq, idle } }) => ({
    busy: user + nice + sys + irq,
    all: user + nice + sys + irq + idle,
  }));
  return sums.reduce((a, b) => ({ busy: a.busy + b.busy, all: a.all + b.all }));
}

/**
 * Looks for other work in two ways: how busy the cores are while this process sleeps, and whether
 * a fixed piece of work now and then takes longer than usual.
 */
export async function measureQuietness(repetitions = 400, sleepMs = 500): Promise<Quietness> {
  const before = coreTimes();
  await new Promise((resolve) => setTimeout(resolve, sleepMs));
  const after = coreTimes();
  const ticks = after.all - before.all;
  const othersBusyCores = ticks > 0 ? (cpus().length * (after.busy - before.busy)) / ticks : 0;
  const jitter = jitterOf(repetitions);
  return { jitter, othersBusyCores, quiet: jitter < 1.15 && othersBusyCores < 0.1 };
}
