// SPDX-License-Identifier: Apache-2.0
import { codeLimits } from '../../numeric/code-types.js';
import type { CodeClamp, Requant } from '../program.js';
import { int32, moderate, positive, type Context } from './place.js';
import { checkStages, type Interval } from './stages.js';

/** What reaches a requantization. */
export interface Accumulators {
  /** How many channels tell their constants apart. */
  readonly channels: number;
  /** Least and greatest accumulator of a channel. */
  readonly interval: (channel: number) => Interval;
  /** Whether they have more than 32 bits. */
  readonly wide: boolean;
}

export function checkRequant(
  requant: Requant,
  context: Context,
  { channels, interval, wide }: Accumulators,
): void {
  const { place, output } = context;
  switch (requant.kind) {
    case 'none':
      place.require(
        output.dtype === 's32',
        () => `without requantization writes s32, not ${output.dtype}`,
      );
      break;
    case 'fixed':
      place.entries(requant.multiplier, channels, 'multipliers');
      place.entries(requant.shift, channels, 'shifts');
      place.integers(requant.multiplier, [0, int32[1]], 'a multiplier');
      place.integers(requant.shift, [1, 62], 'a shift');
      place.require(
        !wide || (requant.rule !== 'gemmlowp2' && requant.rule !== 'ruyx86'),
        () => `${requant.rule} needs an accumulator of at most 32 bits`,
      );
      break;
    case 'f32':
    case 'f32Rule':
      place.entries(requant.scale, channels, 'scales');
      for (const scale of requant.scale) place.scale(scale, positive, 'a scale');
      break;
    case 'f64':
      place.entries(requant.scale, channels, 'scales');
      for (const scale of requant.scale) {
        place.require(
          scale >= moderate[0] && scale <= moderate[1],
          () => `expected a scale in [2^-64, 2^64], got ${scale}`,
        );
      }
      break;
    case 'shift':
      place.entries(requant.shift, channels, 'shifts');
      place.integers(requant.shift, [-31, 62], 'a shift');
      break;
    case 'stages':
      checkStages(requant, context, channels, interval);
      break;
  }
}

/** The same accumulators, of at most 32 bits, in every channel. */
export function alike(
  channels: number,
  [least, greatest]: readonly [number, number],
): Accumulators {
  const interval: Interval = [BigInt(least), BigInt(greatest)];
  return { channels, interval: () => interval, wide: false };
}

export function checkClamp(
  { lo, hi }: CodeClamp,
  channels: number,
  { place, output }: Context,
): void {
  place.entries(lo, channels, 'lower bounds');
  place.entries(hi, channels, 'upper bounds');
  place.integers([...lo, ...hi], codeLimits(output.dtype), 'a clamp bound');
  for (let c = 0; c < Math.max(lo.length, hi.length); ++c) {
    const [low, high] = [lo.length === 1 ? lo[0]! : lo[c]!, hi.length === 1 ? hi[0]! : hi[c]!];
    place.require(low <= high, () => `channel ${c}: expected lo <= hi, got ${low} > ${high}`);
  }
}
