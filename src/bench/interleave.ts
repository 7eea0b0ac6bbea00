// SPDX-License-Identifier: Apache-2.0
// Contenders take turns (A B C A B C ...), a short block each, so that a machine whose speed drifts
// drifts for all of them alike. Ratios come from the medians of neighbouring blocks.
import { quantile, summarize, type LatencySummary } from './latency.js';

/** One thing to time. */
export interface Contender {
  readonly name: string;
  /** Does the work once; timed here. */
  readonly run?: () => void | Promise<void>;
  /** Does the work `count` times elsewhere (another process) and returns each time in ms. */
  readonly runBlock?: (count: number) => Promise<readonly number[]>;
  /** Runs before the next takes its turn, where not the schedule's; a block of 1 has no untimed run before it. */
  readonly block?: number;
}

export interface Schedule {
  /** Timed runs of each contender in all. */
  readonly runs: number;
  /** Runs of a contender before the next takes its turn. */
  readonly block: number;
  /** Untimed runs of each contender at the start. */
  readonly warmup: number;
}

export interface Timed {
  readonly name: string;
  readonly latency: LatencySummary;
  /** Median of each block, in the order in which the blocks ran. */
  readonly blockMediansMs: readonly number[];
}

/** Spread of a ratio over the blocks of one interleaved run. */
export interface RatioSpread {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
}

async function timeOnce(run: () => void | Promise<void>): Promise<number> {
  const begin = process.hrtime.bigint();
  // A synchronous contender must not pay for a turn of the event loop.
  const pending = run();
  if (pending !== undefined) await pending;
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

async function timeBlock(contender: Contender, count: number): Promise<readonly number[]> {
  if (contender.runBlock !== undefined) return contender.runBlock(count);
  const times: number[] = [];
  for (let i = 0; i < count; i += 1) times.push(await timeOnce(contender.run ?? (() => undefined)));
  return times;
}

/** Times every contender under one interleaved schedule. */
export async function interleave(
  contenders: readonly Contender[],
  schedule: Schedule,
  onRound?: (done: number, rounds: number) => void,
): Promise<readonly Timed[]> {
  const rounds = Math.ceil(schedule.runs / schedule.block);
  const samples = contenders.map(() => [] as number[]);
  const medians = contenders.map(() => [] as number[]);
  for (const contender of contenders) {
    const warmup = Math.min(schedule.warmup, contender.block ?? schedule.warmup);
    if (warmup > 0) await timeBlock(contender, warmup);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const count = contender.block ?? schedule.block;
      // The first run after a change of contender pays for the other's cache contents.
      if (count > 1) await timeBlock(contender, 1);
      const block = await timeBlock(contender, count);
      samples[index]!.push(...block);
      medians[index]!.push(summarize(block).p50Ms);
    }
    onRound?.(round + 1, rounds);
  }
  return contenders.map((contender, index) => ({
    name: contender.name,
    latency: summarize(samples[index]!),
    blockMediansMs: medians[index]!,
  }));
}

/** How often the subject fits into the peer's time: above 1, the subject is faster. */
export function ratioOver(subject: Timed, peer: Timed): RatioSpread {
  const ratios = Float64Array.from(
    subject.blockMediansMs.map((ms, round) => peer.blockMediansMs[round]! / ms),
  ).sort();
  return {
    median: quantile(ratios, 0.5),
    p10: quantile(ratios, 0.1),
    p90: quantile(ratios, 0.9),
  };
}
