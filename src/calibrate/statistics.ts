// SPDX-License-Identifier: Apache-2.0
import type { Histogram } from './observers/histogram.js';
import type { ChannelMoments } from './observers/moments.js';
import type { Tail } from './observers/tail.js';
import type { ChannelRange, Range } from './observers/range.js';

/** What a step wants to know, by value name; everything it asks for is met in one pass. */
export interface Needs {
  readonly range?: readonly string[];
  readonly histogram?: readonly string[];
  /** Histograms in which a value of channel c counts as much as entry c says. */
  readonly weightedHistogram?: ReadonlyMap<string, Float64Array>;
  readonly channelRange?: readonly string[];
  readonly moments?: readonly string[];
  /** Kept as they are for every image: for what is small. */
  readonly each?: readonly string[];
  /** Outputs of operators with a fused clamp. */
  readonly active?: readonly string[];
  /** Sums on their way into a clamp, with the clamp's upper bound. */
  readonly tail?: ReadonlyMap<string, Float32Array>;
}

/** The answers, by value name. Sizes depend on the network, not on the number of images, but for `each`. */
export interface Statistics {
  readonly images: number;
  readonly range: ReadonlyMap<string, Range>;
  readonly histogram: ReadonlyMap<string, Histogram>;
  readonly weightedHistogram: ReadonlyMap<string, Histogram>;
  readonly channelRange: ReadonlyMap<string, ChannelRange>;
  readonly moments: ReadonlyMap<string, ChannelMoments>;
  /** By image, in their order. */
  readonly each: ReadonlyMap<string, readonly Float32Array[]>;
  /** Share of values strictly inside the clamp, by channel. */
  readonly active: ReadonlyMap<string, Float64Array>;
  readonly tail: ReadonlyMap<string, Tail>;
}
