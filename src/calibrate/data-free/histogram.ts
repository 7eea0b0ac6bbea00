// SPDX-License-Identifier: Apache-2.0
import type { Histogram } from '../observers/histogram.js';
import type { Range } from '../observers/range.js';
import {
  below,
  channelOf,
  extremes,
  type ChannelDistribution,
  type Distribution,
} from './normal.js';

/** Bins on each side of zero; an 8-bit step over the whole range spans 2 to 4 of them. */
const side = 512;

/** From the minimal to the maximal value that any channel is taken to reach. */
export function rangeOf(distribution: ChannelDistribution): Range {
  let [min, max] = [Infinity, -Infinity];
  for (let c = 0; c < distribution.mean.length; c++) {
    const [low, high] = extremes(channelOf(distribution, c));
    min = Math.min(min, low);
    max = Math.max(max, high);
  }
  return { min, max };
}

/**
 * The histogram that values of this distribution would give, all channels together.
 *
 * @param count number of values that it stands for; counts need not be whole
 * @param weights what one value of each channel counts, [C]; one entry for all
 */
export function histogramOf(
  distribution: ChannelDistribution,
  count: number,
  weights: Float64Array = Float64Array.of(1),
): Histogram {
  const { min, max } = rangeOf(distribution);
  const bound = Math.max(max, -min);
  const width = bound === 0 ? 1 : 2 ** (Math.floor(Math.log2(bound)) + 1) / side;
  const counts = new Float64Array(2 * side);
  let zeros = 0;
  for (let c = 0; c < distribution.mean.length; c++) {
    const own = channelOf(distribution, c);
    const share = (count / distribution.mean.length) * weights[weights.length === 1 ? 0 : c]!;
    addChannel(counts, width, own, share);
    zeros += share * shareOfZero(own);
  }
  return { width, side, counts, zeros, min, max };
}

function addChannel(
  counts: Float64Array,
  width: number,
  distribution: Distribution,
  share: number,
): void {
  const [min, max] = extremes(distribution);
  const binOf = (x: number): number => side + Math.floor(x / width);
  const [first, last] = [binOf(min), binOf(max)];
  let under = 0;
  for (let bin = first; bin <= last; bin++) {
    // The outermost bins hold all that lies beyond, which a clamp gathers there.
    const upTo = bin === last ? 1 : below(distribution, (bin + 1 - side) * width);
    counts[bin]! += share * (upTo - under);
    under = upTo;
  }
}

/** The share of values that a clamp at zero makes exactly zero. */
function shareOfZero(distribution: Distribution): number {
  if (distribution.std === 0)
    return Math.min(distribution.hi, Math.max(distribution.lo, distribution.mean)) === 0 ? 1 : 0;
  return (
    (distribution.lo === 0 ? below(distribution, 0) : 0) +
    (distribution.hi === 0 ? 1 - below(distribution, 0) : 0)
  );
}
