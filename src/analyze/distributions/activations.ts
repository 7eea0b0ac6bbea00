// SPDX-License-Identifier: Apache-2.0
import type { Histogram } from '../../calibrate/observers/histogram.js';
import type { ChannelMoments } from '../../calibrate/observers/moments.js';
import type { Statistics } from '../../calibrate/statistics.js';
import type { Clamp, Node } from '../../graph/graph.js';
import { expectedSqnrDb, medianOf, spreadOf, type Spread } from './spread.js';

/** What a node writes, behind its clamp. */
export interface ActivationDistribution extends Spread {
  /** This range / that of the node's own input: the fluctuation from layer to layer of Yun and Wong 2021. */
  readonly rangeChange?: number;
  /** Expected SQNR of 8-bit codes that hold the range (spread.ts), dB, of the whole tensor, */
  readonly expectedDb?: number;
  /** and of the channel in the middle; constant ones do not count. */
  readonly medianChannelDb?: number;
  /** Values at the clamp's upper bound, %, where it has one. */
  readonly clampedPercent?: number;
}

/** @param statistics channel ranges, moments and histograms of what the node reads and writes */
export function activationDistribution(node: Node, statistics: Statistics): ActivationDistribution {
  const output = node.outputs[0]!;
  const spread = spreadOf(statistics.channelRange.get(output)!);
  const before = statistics.channelRange.get(node.inputs[0]!);
  const moments = statistics.moments.get(output)!;
  const squares = meanSquares(moments);
  const median = medianOf(
    squares.flatMap((square, c) =>
      moments.variance[c]! > 0 ? (expectedSqnrDb(square, spread) ?? []) : [],
    ),
  );
  const known = {
    rangeChange: before === undefined ? undefined : rangeOf(spread) / rangeOf(spreadOf(before)),
    expectedDb: expectedSqnrDb(squares.reduce((a, b) => a + b, 0) / squares.length, spread),
    medianChannelDb: median,
    clampedPercent:
      'clamp' in node ? atBound(statistics.histogram.get(output)!, node.clamp) : undefined,
  };
  return { ...spread, ...withoutUnknown(known) };
}

function meanSquares({ mean, variance }: ChannelMoments): number[] {
  return Array.from(variance, (value, c) => value + mean[c]! ** 2);
}

function rangeOf({ min, max }: Pick<Spread, 'min' | 'max'>): number {
  return max - min;
}

/** Share of values in the histogram's bin that the bound falls into, %; a bin is less than 1/1000 of the range. */
function atBound({ counts, side, width }: Histogram, clamp: Clamp | undefined) {
  const bound = clamp?.hi.reduce((a, b) => Math.max(a, b)) ?? Infinity;
  const bin = Math.floor(bound / width) + side;
  if (!(bin < counts.length)) return Number.isFinite(bound) ? 0 : undefined;
  return (100 * counts[bin]!) / counts.reduce((a, b) => a + b, 0);
}

function withoutUnknown<Facts extends object>(facts: Facts) {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => Number.isFinite(value)),
  ) as {
    [Key in keyof Facts]?: Exclude<Facts[Key], undefined>;
  };
}
