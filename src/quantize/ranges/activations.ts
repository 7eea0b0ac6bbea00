// SPDX-License-Identifier: Apache-2.0
import type { Histogram } from '../../calibrate/observers/histogram.js';
import type { Clamp, Graph } from '../../graph/graph.js';
import {
  activationDType,
  quantizationOf,
  type ActivationScheme,
  type Quantization,
  type RealRange,
} from '../codes/scales.js';
import { sharedQuantization } from '../network/sharing.js';
import { fixedQuantizations } from './fixed-quantizations.js';
import { minDivergenceRange } from './kl.js';
import { fullRange, minErrorRange, percentileRange, withinClamp } from './methods.js';
import type { ActivationSettings } from './settings.js';

/**
 * A quantization for each value, one scale per tensor. Values whose codes are copied from one to
 * the other share it. The graph's output keeps its full range whatever the method, since its largest
 * values decide the answer, and takes 16 bits where it may.
 *
 * @param histograms of every value that nodes write and of the input; for the method `output` with
 *   each channel's counts weighted by its cost
 */
export function chooseActivations(
  graph: Graph,
  histograms: ReadonlyMap<string, Histogram>,
  scheme: ActivationScheme,
  options: ActivationSettings,
): Map<string, Quantization> {
  const groups = new Map<string, string[]>();
  for (const [value, root] of sharedQuantization(graph)) {
    if (!histograms.has(value)) continue;
    groups.set(root, [...(groups.get(root) ?? []), value]);
  }
  const clamps = clampsOf(graph);
  const fixed = fixedQuantizations(graph, scheme);
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const chosen = new Map<string, Quantization>();
  for (const members of groups.values()) {
    const method = members.some((value) => outputs.has(value)) ? 'minmax' : options.method;
    const ranges = members.map((value) => {
      const histogram = histograms.get(value)!;
      const clamp = clamps.get(value);
      const range = rangeOf(histogram, scheme, { ...options, method });
      return clamp === undefined ? range : withinClamp(range, clamp.min, clamp.max);
    });
    const range = ranges.reduce(union);
    const given = members.map((value) => fixed.get(value)).find((one) => one !== undefined);
    const quantization = given ?? quantizationOf(range, activationDType(range, scheme), scheme);
    for (const value of members) chosen.set(value, quantization);
  }
  return new Map([...histograms.keys()].map((value) => [value, chosen.get(value)!]));
}

/** Every value that needs a quantization: the input and what the nodes write. */
export function activationNames(graph: Graph): string[] {
  return [graph.inputs[0]!.name, ...graph.nodes.flatMap((node) => node.outputs)];
}

function rangeOf(
  histogram: Histogram,
  scheme: ActivationScheme,
  options: ActivationSettings,
): RealRange {
  if (options.method === 'minmax') return fullRange(histogram);
  if (options.method === 'percentile') return percentileRange(histogram, options.percentile);
  const dtype = activationDType(fullRange(histogram), scheme);
  const quantize = (range: RealRange): Quantization => quantizationOf(range, dtype, scheme);
  const search = { quantize, powerOfTwo: scheme.powerOfTwo };
  return options.method === 'kl'
    ? minDivergenceRange(histogram, search)
    : minErrorRange(histogram, search);
}

function union(a: RealRange, b: RealRange): RealRange {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/** The loosest bounds over the channels of each clamped value. */
function clampsOf(graph: Graph): ReadonlyMap<string, RealRange> {
  const clamps = new Map<string, RealRange>();
  for (const node of graph.nodes) {
    const clamp: Clamp | undefined = 'clamp' in node ? node.clamp : undefined;
    if (clamp === undefined) continue;
    const min = clamp.lo.reduce((a, b) => Math.min(a, b));
    const max = clamp.hi.reduce((a, b) => Math.max(a, b));
    clamps.set(node.outputs[0]!, { min, max });
  }
  return clamps;
}
