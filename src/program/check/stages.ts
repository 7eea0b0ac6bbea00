// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "What a loader checks", `stages`: no value leaves [-2^62, 2^62], whatever the image.
import type { Requant, Stage } from '../program.js';
import { applyStage, onSegment, segmentOf } from '../stages.js';
import type { Context, Place } from './place.js';

type Staged = Extract<Requant, { kind: 'stages' }>;
type Segments = Extract<Stage, { kind: 'segments' }>;

/** Least and greatest value before a stage. */
export type Interval = readonly [least: bigint, greatest: bigint];

const limit = 1n << 62n;

/**
 * @param channels how many entries an array may have besides one
 * @param accumulator least and greatest accumulator of a channel
 */
export function checkStages(
  { stages }: Staged,
  { place }: Context,
  channels: number,
  accumulator: (channel: number) => Interval,
): void {
  place.integer(stages.length, [1, 16], 'the number of stages');
  for (const stage of stages) checkConstants(stage, place, channels);
  for (let channel = 0; channel < channels; ++channel) {
    stages.reduce<Interval>((values, stage, i) => {
      const next = stageInterval(stage, values, channel);
      if (next !== undefined) return next;
      return place.fail(`stage ${i} (${stage.kind}), channel ${channel}: a value may leave 2^62`);
    }, accumulator(channel));
  }
}

function checkConstants(stage: Stage, place: Place, channels: number): void {
  switch (stage.kind) {
    case 'add':
      place.entries(stage.value, channels, 'stage addends');
      requireWithin(stage.value, place, 'a stage addend');
      break;
    case 'multiply':
      place.entries(stage.factor, channels, 'stage factors');
      break;
    case 'shift':
      place.entries(stage.shift, channels, 'stage shifts');
      place.integers(stage.shift, [-31, 62], 'a stage shift');
      break;
    case 'saturate':
      place.integer(stage.bits, [2, 62], 'saturation bits');
      break;
    case 'clamp':
      checkStageClamp(stage, place, channels);
      break;
    case 'segments':
      checkSegments(stage, place);
      break;
    case 'thresholds':
      checkThresholds(stage, place, channels);
      break;
  }
}

function checkStageClamp(
  { lo, hi }: Extract<Stage, { kind: 'clamp' }>,
  place: Place,
  channels: number,
): void {
  place.entries(lo, channels, 'lower stage bounds');
  place.entries(hi, channels, 'upper stage bounds');
  requireWithin(lo, place, 'a lower stage bound');
  requireWithin(hi, place, 'an upper stage bound');
  for (let c = 0; c < Math.max(lo.length, hi.length); ++c) {
    const [low, high] = [lo.length === 1 ? lo[0]! : lo[c]!, hi.length === 1 ? hi[0]! : hi[c]!];
    place.require(low <= high, () => `channel ${c}: expected lo <= hi, got ${low} > ${high}`);
  }
}

function checkSegments(stage: Segments, place: Place): void {
  const { start, multiplier, shift, offset } = stage;
  const count = start.length;
  place.integer(count, [1, 64], 'the number of segments');
  for (const array of [multiplier, shift, offset]) {
    place.integer(array.length, [count, count], 'the number of entries of segments');
  }
  requireWithin(start, place, "a segment's start");
  requireWithin(offset, place, "a segment's offset");
  place.integers(shift, [0, 62], "a segment's shift");
  place.require(
    start.every((s, k) => k === 0 || start[k - 1]! < s),
    () => 'expected the starts of segments to ascend',
  );
}

function checkThresholds(
  { count, values }: Extract<Stage, { kind: 'thresholds' }>,
  place: Place,
  channels: number,
): void {
  place.integer(count, [1, 65535], 'the number of thresholds');
  place.require(
    values.length === count || values.length === count * channels,
    () => `expected ${count} or ${count * channels} thresholds, got ${values.length}`,
  );
  requireWithin(values, place, 'a threshold');
  place.require(
    values.every((t, i) => i % count === 0 || values[i - 1]! <= t),
    () => 'expected the thresholds of a channel to ascend',
  );
}

function requireWithin(values: BigInt64Array, place: Place, what: string): void {
  const outside = values.find((v) => v < -limit || v > limit);
  place.require(
    outside === undefined,
    () => `expected ${what} in [-2^62, 2^62], got ${String(outside)}`,
  );
}

/** What a stage makes of an interval; undefined if a value may leave the limits. */
export function stageInterval(
  stage: Stage,
  values: Interval,
  channel: number,
): Interval | undefined {
  if (stage.kind === 'segments') return afterSegments(stage, values);
  // All others are monotone in the value, so the ends stay ends; a negative factor swaps them.
  const [a, b] = values.map((v) => applyStage(stage, v, channel)) as [bigint, bigint];
  return a <= b ? within([a, b]) : within([b, a]);
}

function within(interval: Interval): Interval | undefined {
  return interval[0] >= -limit && interval[1] <= limit ? interval : undefined;
}

/** The hull of what the segments that a value can reach make of their part of the interval. */
function afterSegments(stage: Segments, [least, greatest]: Interval): Interval | undefined {
  const { start, multiplier } = stage;
  const results: bigint[] = [];
  const last = segmentOf(stage, greatest);
  for (let k = segmentOf(stage, least); k <= last; ++k) {
    const ends = [
      k === 0 || start[k]! < least ? least : start[k]!,
      k < last ? start[k + 1]! - 1n : greatest,
    ];
    for (const v of ends) {
      const distance = v - start[k]!;
      const inside = [distance, distance * BigInt(multiplier[k]!)].every(
        (x) => x >= -limit && x <= limit,
      );
      if (!inside) return undefined;
      results.push(onSegment(stage, k, v));
    }
  }
  return within([
    results.reduce((a, b) => (a < b ? a : b)),
    results.reduce((a, b) => (a > b ? a : b)),
  ]);
}
