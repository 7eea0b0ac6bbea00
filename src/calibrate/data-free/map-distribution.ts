// SPDX-License-Identifier: Apache-2.0
import { below, channelOf, extremes, type ChannelDistribution } from './normal.js';

/** Slices that a channel's distribution is cut into. */
const slices = 256;

/** The moments and bounds of f(x) for x of the given distribution, as a normal between these bounds. */
export function mapDistribution(
  distribution: ChannelDistribution,
  f: (x: number) => number,
): ChannelDistribution {
  const channels = distribution.mean.length;
  const mapped = {
    mean: new Float64Array(channels),
    std: new Float64Array(channels),
    lo: new Float64Array(channels),
    hi: new Float64Array(channels),
  };
  for (let c = 0; c < channels; c++) {
    const own = channelOf(distribution, c);
    const [first, last] = extremes(own);
    const width = (last - first) / slices;
    let [mean, square, lo, hi] = [0, 0, Infinity, -Infinity];
    for (let i = 0; i < slices; i++) {
      const x = first + (i + 0.5) * width;
      // The outermost slices hold what the clamp gathers at its bounds.
      const from = i === 0 ? 0 : below(own, first + i * width);
      const to = i === slices - 1 ? 1 : below(own, first + (i + 1) * width);
      const y = f(x);
      mean += y * (to - from);
      square += y * y * (to - from);
      lo = Math.min(lo, y);
      hi = Math.max(hi, y);
    }
    mapped.mean[c] = mean;
    mapped.std[c] = Math.sqrt(Math.max(0, square - mean * mean));
    mapped.lo[c] = Math.min(lo, f(first), f(last));
    mapped.hi[c] = Math.max(hi, f(first), f(last));
  }
  return mapped;
}
