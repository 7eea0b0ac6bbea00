// SPDX-License-Identifier: Apache-2.0
import type { Histogram } from '../calibrate/observers/histogram.js';
import type { Graph, OpenFloatRunner } from '../graph/graph.js';
import type { SampleSource } from '../graph/samples.js';
import { isFixed } from './activations.js';
import { fullRange } from './ranges.js';
import {
  activationDType,
  quantizationOf,
  type ActivationScheme,
  type Quantization,
  type RealRange,
} from './scales.js';
import { sharedQuantization } from './sharing.js';

/** Room for unseen images: with 16 bits a coarser step costs nothing, saturation a wrong answer. */
const room = 2;

/**
 * Gives the network's outputs 16 bits, with room to spare on both sides. Outputs of functions into [0, 1]
 * keep their steps.
 *
 * @param histograms of the outputs
 */
export function widenOutputs(
  graph: Graph,
  activations: ReadonlyMap<string, Quantization>,
  histograms: ReadonlyMap<string, Histogram>,
  scheme: ActivationScheme,
): Map<string, Quantization> {
  const widened = new Map(activations);
  for (const { name } of graph.outputs) {
    const members = sharingWith(graph, name);
    if (members.some((value) => isFixed(graph, value))) continue;
    const { min, max } = fullRange(histograms.get(name)!);
    const quantization = quantizationOf({ min: room * min, max: room * max }, 's16', scheme);
    for (const value of members) if (widened.has(value)) widened.set(value, quantization);
  }
  return widened;
}

/** The two greatest scores of an image. */
export interface TopTwo {
  readonly first: number;
  readonly second: number;
}

/** The two greatest scores of the float network for each sample. */
export async function topTwoOf(
  graph: Graph,
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
): Promise<TopTwo[]> {
  const output = graph.outputs[0]!.name;
  const runner = await openFloatRunner(graph, []);
  const pairs: TopTwo[] = [];
  try {
    for await (const { input } of samples)
      pairs.push(greatestTwo((await runner.run(input)).get(output)!));
  } finally {
    await runner.close();
  }
  return pairs;
}

function greatestTwo(scores: Float32Array): TopTwo {
  let [first, second] = [-Infinity, -Infinity];
  for (const score of scores) {
    if (score > first) [first, second] = [score, first];
    else if (score > second) second = score;
  }
  return { first, second };
}

/**
 * Gives the scores a range that holds the best two of every image and nothing below that zero
 * does not ask for: all codes are spent where the answer is decided, and low scores saturate.
 */
export function decidingRange(
  graph: Graph,
  activations: ReadonlyMap<string, Quantization>,
  pairs: readonly TopTwo[],
  scheme: ActivationScheme,
): Map<string, Quantization> {
  const changed = new Map(activations);
  const { name } = graph.outputs[0]!;
  const members = sharingWith(graph, name);
  if (members.some((value) => isFixed(graph, value))) return changed;
  const range: RealRange = {
    min: pairs.reduce((least, { second }) => Math.min(least, second), 0),
    max: pairs.reduce((greatest, { first }) => Math.max(greatest, first), 0),
  };
  const quantization = quantizationOf(range, activationDType(range, scheme), scheme);
  if (quantization.scale >= activations.get(name)!.scale) return changed;
  for (const value of members) if (changed.has(value)) changed.set(value, quantization);
  return changed;
}

/**
 * Expected share of samples whose best two scores share a code, in percent: two numbers at a
 * distance d below a step fall into one with probability 1 - d / step.
 */
export function expectedTies(pairs: readonly TopTwo[], step: number): number {
  const sum = pairs.reduce(
    (total, { first, second }) => total + Math.max(0, 1 - (first - second) / step),
    0,
  );
  return (100 * sum) / Math.max(pairs.length, 1);
}

/** All values that have to have the same quantization as `value`. */
export function sharingWith(graph: Graph, value: string): string[] {
  const roots = sharedQuantization(graph);
  return [...roots.keys()].filter((name) => roots.get(name) === roots.get(value));
}
