// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../../errors.js';
import type { Graph } from '../../graph/graph.js';
import type { ChannelRange } from '../observers/range.js';
import type { Tail } from '../observers/tail.js';
import { tailBins } from '../observers/tail.js';
import type { Needs, Statistics } from '../statistics.js';
import { histogramOf, rangeOf } from './histogram.js';
import { channelDistributions, momentsOf } from './distributions.js';
import { channelMeans } from './means.js';
import { below, channelOf, extremes, insideShare, type ChannelDistribution } from './normal.js';

/** Stands for a number of values wherever a statistic counts them. */
const nominalCount = 2 ** 20;

/**
 * What `collect` would find, without images: from the batch norms that were folded into the
 * convolutions (`graph.normalizations`) and from the distribution of the input.
 *
 * @returns statistics with `images` 0
 * @throws UsageError for a value that the graph does not have; those of `channelDistributions`
 */
export function derive(graph: Graph, input: ChannelDistribution, needs: Needs): Statistics {
  const distributions = channelDistributions(graph, input);
  const means = needs.moments === undefined ? undefined : channelMeans(graph, distributions);
  const each = <Result>(
    names: Iterable<string> | undefined,
    of: (distribution: ChannelDistribution, name: string) => Result,
  ): ReadonlyMap<string, Result> =>
    new Map(
      [...(names ?? [])].map((name) => {
        const distribution = distributions.get(name);
        if (distribution !== undefined) return [name, of(distribution, name)];
        throw new UsageError('unknown-value', `value "${name}"`, 'is not in the graph');
      }),
    );
  return {
    images: 0,
    range: each(needs.range, rangeOf),
    histogram: each(needs.histogram, (distribution) => histogramOf(distribution, nominalCount)),
    weightedHistogram: each(needs.weightedHistogram?.keys(), (distribution, name) =>
      histogramOf(distribution, nominalCount, needs.weightedHistogram!.get(name)),
    ),
    channelRange: each(needs.channelRange, channelRangeOf),
    moments: each(needs.moments, (distribution, name) => ({
      mean: means!.get(name)!,
      variance: momentsOf(distribution).variance,
      count: nominalCount,
    })),
    // There are no images.
    each: new Map(),
    active: each(needs.active, (distribution) =>
      Float64Array.from(distribution.mean, (_, c) => insideShare(channelOf(distribution, c))),
    ),
    tail: each(needs.tail?.keys(), (distribution, name) =>
      tailOf(distribution, needs.tail!.get(name)!),
    ),
  };
}

function channelRangeOf(distribution: ChannelDistribution): ChannelRange {
  const ends = Array.from(distribution.mean, (_, c) => extremes(channelOf(distribution, c)));
  const max = Float32Array.from(ends, ([, high]) => high);
  return { min: Float32Array.from(ends, ([low]) => low), max, reach: max };
}

function tailOf(distribution: ChannelDistribution, bound: Float32Array): Tail {
  const { edges, centres } = tailBins();
  const shares = Array.from(distribution.mean, (_, c) => {
    const own = channelOf(distribution, c);
    const unit = bound[bound.length === 1 ? 0 : c]!;
    const under = edges.map((edge) => below(own, edge * unit));
    return centres.map((_, bin) =>
      // As when counting, the last bin takes everything beyond.
      Math.max(0, (bin === centres.length - 1 ? 1 : under[bin + 1]!) - under[bin]!),
    );
  });
  return { centres, shares };
}
