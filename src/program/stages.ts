// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "Requantization", `stages`: the steps of a hardware pipeline, on exact integers. What a
// loader admits keeps every value within [-2^62, 2^62]; nothing here depends on that.
import { type RoundRule, roundShiftBig } from '../numeric/round.js';
import { entry } from './per-channel.js';
import type { Stage } from './program.js';

type Segments = Extract<Stage, { kind: 'segments' }>;
type Thresholds = Extract<Stage, { kind: 'thresholds' }>;

/** A value after one stage. */
export function applyStage(stage: Stage, v: bigint, channel: number): bigint {
  switch (stage.kind) {
    case 'add':
      return v + entry(stage.value, channel);
    case 'multiply':
      return v * BigInt(entry(stage.factor, channel));
    case 'shift':
      return shifted(v, entry(stage.shift, channel), stage.rule);
    case 'saturate': {
      const half = 1n << BigInt(stage.bits - 1);
      return clamped(v, -half, half - 1n);
    }
    case 'clamp':
      return clamped(v, entry(stage.lo, channel), entry(stage.hi, channel));
    case 'segments':
      return onSegment(stage, segmentOf(stage, v), v);
    case 'thresholds':
      return BigInt(reached(stage, v, channel));
  }
}

/** The segment that holds v. */
export function segmentOf({ start }: Segments, v: bigint): number {
  return Math.max(countWhile(start.length, (k) => start[k]! <= v) - 1, 0);
}

/** The line of segment k at v. */
export function onSegment(
  { start, multiplier, shift, offset, rule }: Segments,
  k: number,
  v: bigint,
): bigint {
  const product = (v - start[k]!) * BigInt(multiplier[k]!);
  return shifted(product, shift[k]!, rule) + offset[k]!;
}

/** How many thresholds of the channel v reaches, or exceeds. */
function reached({ count, values, strict }: Thresholds, v: bigint, channel: number): number {
  const first = values.length === count ? 0 : channel * count;
  return countWhile(count, (i) => (strict ? v > values[first + i]! : v >= values[first + i]!));
}

/** How many of the indices from 0 to count - 1 hold, where none does after one that does not. */
function countWhile(count: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function shifted(v: bigint, s: number, rule: RoundRule): bigint {
  return s > 0 ? roundShiftBig(v, s, rule) : v << BigInt(-s);
}

function clamped(v: bigint, lo: bigint, hi: bigint): bigint {
  if (v < lo) return lo;
  return v > hi ? hi : v;
}
