// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "Requantization", `stages`. Thresholds are counted by bisection in a table:
// log2(n) steps, however many there are.
import type { Stage } from '../program/program.js';
import { segmentOf } from '../program/stages.js';
import { hull, vectorOf } from './bounds.js';
import { type Integers, integers, plus, settle, times, within } from './integers.js';
import { roundShift } from './rounding.js';
import type { Steps } from './steps.js';

type Segments = Extract<Stage, { kind: 'segments' }>;
type Thresholds = Extract<Stage, { kind: 'thresholds' }>;

/** A value after one stage. */
export function afterStage(steps: Steps, stage: Stage, v: Integers): Integers {
  switch (stage.kind) {
    case 'add':
      return plus(v, vectorOf(stage.value));
    case 'multiply':
      return times(steps, v, vectorOf(stage.factor));
    case 'shift': {
      const shifts = Array.from(stage.shift);
      return roundShift(steps, shiftedLeft(steps, v, shifts), rightOnly(shifts), stage.rule);
    }
    case 'saturate': {
      const half = 1n << BigInt(stage.bits - 1);
      return within(steps, v, [-half], [half - 1n]);
    }
    case 'clamp':
      return within(steps, v, vectorOf(stage.lo), vectorOf(stage.hi));
    case 'segments':
      return onSegments(steps, stage, v);
    case 'thresholds':
      return reached(steps, stage, v);
  }
}

/** v * 2^(-s) where s is negative. */
export function shiftedLeft(steps: Steps, v: Integers, shifts: readonly number[]): Integers {
  return times(
    steps,
    v,
    shifts.map((s) => 1n << BigInt(Math.max(-s, 0))),
  );
}

export function rightOnly(shifts: readonly number[]): readonly number[] {
  return shifts.map((s) => Math.max(s, 0));
}

/** How many thresholds of the channel v reaches, or exceeds: a bisection in its row of a table. */
function reached(steps: Steps, stage: Thresholds, v: Integers): Integers {
  const rows = stage.values.length / stage.count;
  const bits = stage.count.toString(2).length;
  const length = 2 ** bits - 1;
  const table = steps.constant('s64', [rows * length], filledRows(stage, length));
  const value = settle(steps, v);
  let found = firstOfRow(steps, value, rows, length);
  for (let step = 2 ** (bits - 1); step >= 1; step /= 2) {
    const at = steps.node('Add', [found, steps.vector([BigInt(step - 1)])]);
    const reaches = steps.node('GreaterOrEqual', [value, steps.node('Gather', [table, at])]);
    const more = steps.node('Mul', [steps.cast(reaches, 's64'), steps.vector([BigInt(step)])]);
    found = steps.node('Add', [found, more]);
  }
  const offset = Array.from({ length: rows }, (_, c) => BigInt(-c * length));
  return { tensor: found, offset, bounds: [[0n, BigInt(stage.count)]] };
}

/** Each row's thresholds, filled up to `length` with numbers that nothing reaches. */
function filledRows({ count, values, strict }: Thresholds, length: number): BigInt64Array {
  // v > t is v >= t + 1.
  const thresholds = strict ? values.map((t) => t + 1n) : values;
  const table = new BigInt64Array((values.length / count) * length).fill((1n << 63n) - 1n);
  for (let c = 0; c * count < values.length; ++c) {
    table.set(thresholds.subarray(c * count, (c + 1) * count), c * length);
  }
  return table;
}

/** Where the bisection starts: an index of each value's shape. */
function firstOfRow(steps: Steps, value: string, rows: number, length: number): string {
  const nothing = steps.node('Mul', [value, steps.vector([0n])]);
  if (rows === 1) return nothing;
  const starts = Array.from({ length: rows }, (_, c) => BigInt(c * length));
  return steps.node('Add', [nothing, steps.vector(starts)]);
}

/** Each segment's line on the values of that segment, chosen by where segments start. */
function onSegments(steps: Steps, stage: Segments, v: Integers): Integers {
  const settled = integers(steps, settle(steps, v), v.bounds);
  const [least, greatest] = hull(v.bounds.flat());
  const [first, last] = [segmentOf(stage, least), segmentOf(stage, greatest)];
  let result = line(steps, stage, first, settled, [first, last]);
  for (let k = first + 1; k <= last; ++k) {
    const here = line(steps, stage, k, settled, [first, last]);
    const from = steps.node('GreaterOrEqual', [settled.tensor, steps.vector([stage.start[k]!])]);
    const operands = [from, settle(steps, here), settle(steps, result)];
    const bounds = [hull([...here.bounds.flat(), ...result.bounds.flat()])];
    result = integers(steps, steps.node('Where', operands), bounds);
  }
  return result;
}

/** Segment k's line; values of other segments are brought to its ends, where it is admitted. */
function line(
  steps: Steps,
  { start, multiplier, shift, offset, rule }: Segments,
  k: number,
  v: Integers,
  [first, last]: readonly [number, number],
): Integers {
  const [least, greatest] = hull(v.bounds.flat());
  const lo = k === first ? least : start[k]!;
  const hi = k === last ? greatest : start[k + 1]! - 1n;
  const distance = plus(within(steps, v, [lo], [hi]), [-start[k]!]);
  const product = times(steps, distance, [BigInt(multiplier[k]!)]);
  return plus(roundShift(steps, product, [shift[k]!], rule), [offset[k]!]);
}
