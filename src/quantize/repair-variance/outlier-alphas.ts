// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../graph/graph.js';

/** A factor of a batch norm this many times its layer's median counts as an outlier. */
const outlier = 10;

/** Channels whose batch norm multiplied their weights by far more than those of their neighbours. */
export interface OutlierAlphas {
  /** Number of such channels by layer. */
  readonly layers: ReadonlyMap<string, number>;
  /** The largest, as a multiple of its layer's median, and its layer; 0 and '' without any. */
  readonly largest: number;
  readonly where: string;
}

/**
 * Sheng et al. 2018: a few alphas = gamma / sqrt(variance + epsilon) far above the rest stretch the
 * range of a layer's weights until the other channels have no levels left.
 */
export function outlierAlphas(graph: Graph): OutlierAlphas {
  const layers = new Map<string, number>();
  let [largest, where] = [0, ''];
  for (const [name, { alpha }] of graph.normalizations) {
    const sizes = Float64Array.from(alpha, Math.abs).sort();
    const median = sizes[sizes.length >> 1] ?? 0;
    // A layer that is mostly scaled by zero has no usual size.
    if (!(median > 0)) continue;
    const count = sizes.filter((size) => size > outlier * median).length;
    if (count === 0) continue;
    layers.set(name, count);
    const ratio = sizes.at(-1)! / median;
    if (ratio > largest) [largest, where] = [ratio, name];
  }
  return { layers, largest, where };
}

/** One line, without a full stop; '' where there is nothing to say. */
export function describeOutliers({ layers, largest, where }: OutlierAlphas): string {
  if (layers.size === 0) return '';
  const channels = [...layers.values()].reduce((a, b) => a + b, 0);
  return (
    `${channels} batch-norm factors in ${layers.size} layers over ${outlier} x their layer's median ` +
    `(largest ${largest.toFixed(0)} x, ${where})`
  );
}
