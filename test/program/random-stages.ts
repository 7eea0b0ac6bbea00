// SPDX-License-Identifier: Apache-2.0
// Random stages of a requantization: every kind and rule, constants of one entry or per channel,
// values that end in the range of a code's type. Whether a stage may follow is asked of the
// loader's own analysis of intervals.
import { type RoundRule, roundRules } from '../../src/numeric/round.js';
import { stageInterval, type Interval } from '../../src/program/check/stages.js';
import type { Requant, Stage } from '../../src/program/program.js';
import type { Random } from './random.js';

/** What is known of the values that reach a requantization. */
export interface Reach {
  readonly channels: number;
  /** Least and greatest accumulator, at most 2^62 in magnitude. */
  readonly interval: Interval;
  /** Magnitude that accumulators commonly reach. */
  readonly common: number;
  /** Magnitude of the codes that they become. */
  readonly range: number;
}

/** One to six stages. */
export function randomStages(random: Random, reach: Reach): Extract<Requant, { kind: 'stages' }> {
  const maker = new StageMaker(random, reach);
  for (let n = random.integer(0, 4); n > 0; --n) maker.append();
  maker.finish();
  return { kind: 'stages', stages: maker.stages };
}

class StageMaker {
  readonly stages: Stage[] = [];
  private interval: Interval;
  private common: number;

  constructor(
    private readonly random: Random,
    private readonly reach: Reach,
  ) {
    this.interval = reach.interval;
    this.common = Math.max(reach.common, 1);
  }

  /** Appends some stage, or nothing where its values could leave 2^62. */
  append(): void {
    const { random, common } = this;
    switch (random.pick(['add', 'multiply', 'shift', 'saturate', 'clamp', 'segments'] as const)) {
      case 'add':
        this.try({ kind: 'add', value: this.big(() => this.some(common)) }, common);
        break;
      case 'multiply': {
        const most = random.pick([3, 2 ** 8, 2 ** 15, 2 ** 31 - 1]);
        const factor = this.entries(() => Math.trunc(this.some(most)));
        this.try({ kind: 'multiply', factor: Int32Array.from(factor) }, common * most);
        break;
      }
      case 'shift':
        this.shift(random.pick([1, 2, random.integer(-4, 12), random.integer(-31, 62)]));
        break;
      case 'saturate': {
        const bits = Math.round(Math.log2(common)) + random.integer(-1, 4);
        const limited = Math.min(Math.max(bits, 2), 62);
        this.try({ kind: 'saturate', bits: limited }, Math.min(common, 2 ** limited));
        break;
      }
      case 'clamp': {
        const lo = this.big(() => this.some(common));
        const hi = lo.map((low) => low + BigInt(Math.trunc(random.next() * 2 * common)));
        this.try({ kind: 'clamp', lo, hi }, common);
        break;
      }
      case 'segments':
        this.segments(random.pick([common, this.reach.range]));
        break;
    }
  }

  /** Brings values to the range of codes. */
  finish(): void {
    const { random } = this;
    const kind = random.pick(['shift', 'shift', 'segments', 'thresholds', 'none'] as const);
    if (kind === 'shift') this.shift(Math.round(Math.log2(this.common / this.reach.range)) + 1);
    else if (kind === 'segments') this.segments(this.reach.range);
    else if (kind === 'thresholds' || this.stages.length === 0) this.thresholds();
  }

  private shift(about: number): void {
    const spread = this.random.pick([0, 0, 2]);
    const shift = Int8Array.from(
      this.entries(() => about + this.random.integer(-spread, spread)),
      (s) => Math.min(Math.max(s, -31), 62),
    );
    this.try({ kind: 'shift', shift, rule: this.rule() }, Math.max(this.common / 2 ** about, 1));
  }

  /** A line with bends, from the common values to those of magnitude `to`. */
  private segments(to: number): void {
    const { random, common } = this;
    const count = random.pick([1, 2, 3, 16, 64]);
    const starts = Array.from({ length: count }, () => BigInt(Math.trunc(this.some(common))));
    const start = BigInt64Array.from([...new Set(starts)].sort((a, b) => (a < b ? -1 : 1)));
    const slopes = Array.from(start, () => {
      const shift = random.integer(0, 30);
      const most = Math.min((to / common) * 2 ** shift, 2 ** 31 - 1);
      return [Math.trunc(this.some(most) * 2), random.chance(0.1) ? 0 : shift] as const;
    });
    const multiplier = Int32Array.from(slopes, ([m]) =>
      Math.min(Math.max(m, -(2 ** 31)), 2 ** 31 - 1),
    );
    const shift = Uint8Array.from(slopes, ([, s]) => s);
    const offset = BigInt64Array.from(start, () => BigInt(Math.trunc(this.some(to))));
    this.try({ kind: 'segments', start, multiplier, shift, offset, rule: this.rule() }, to);
  }

  private thresholds(): void {
    const { random, common } = this;
    const count = random.pick([1, 3, 15, 255]);
    const sets = random.chance(0.6) ? this.reach.channels : 1;
    const dense = random.chance(0.3); // equal ones, and values that meet them
    const one = (): bigint[] =>
      Array.from({ length: count }, () =>
        BigInt(Math.trunc(this.some(dense ? count / 2 : common))),
      ).sort((a, b) => (a < b ? -1 : Number(a > b)));
    const values = BigInt64Array.from(Array.from({ length: sets }, one).flat());
    this.try({ kind: 'thresholds', count, values, strict: random.chance(0.5) }, count);
  }

  private try(stage: Stage, common: number): void {
    const { channels } = this.reach;
    const after = Array.from({ length: channels }, (_, c) =>
      stageInterval(stage, this.interval, c),
    );
    if (!after.every((interval) => interval !== undefined)) return;
    this.interval = after.reduce(([a, b], [lo, hi]) => [lo < a ? lo : a, hi > b ? hi : b]);
    this.common = Math.min(common, 2 ** 61);
    this.stages.push(stage);
  }

  /** In [-most, most]. */
  private some(most: number): number {
    const { random } = this;
    const sign = random.pick([-1, 1]);
    const limited = Math.min(most, 2 ** 61);
    return sign * random.pick([0, 1, limited, random.next() * limited, random.next() * limited]);
  }

  private entries(make: () => number): number[] {
    return Array.from({ length: this.random.chance(0.6) ? this.reach.channels : 1 }, make);
  }

  private big(make: () => number): BigInt64Array {
    return BigInt64Array.from(this.entries(make), (v) => BigInt(Math.trunc(v)));
  }

  private rule(): RoundRule {
    return this.random.pick(roundRules);
  }
}
