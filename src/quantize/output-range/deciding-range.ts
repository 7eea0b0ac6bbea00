// SPDX-License-Identifier: Apache-2.0
// A range for scores that decides: [min(0, min of s2), max(0, max of s1)] over the images, s1 and
// s2 the two highest scores of an image. What lies below no image's answer saturates.
import type { Graph, OpenFloatRunner } from '../../graph/graph.js';
import type { SampleSource } from '../../graph/samples.js';
import {
  activationDType,
  quantizationOf,
  type ActivationScheme,
  type Quantization,
  type RealRange,
} from '../codes/scales.js';
import { sharingWith } from '../network/sharing.js';
import { isFixed } from '../ranges/fixed-quantizations.js';

/** The two highest scores of an image. */
export interface TopTwo {
  readonly first: number;
  readonly second: number;
}

/** The two highest scores of the float network for each sample. */
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
      pairs.push(topTwo((await runner.run(input)).get(output)!));
  } finally {
    await runner.close();
  }
  return pairs;
}

function topTwo(scores: Float32Array): TopTwo {
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
    min: pairs.reduce((min, { second }) => Math.min(min, second), 0),
    max: pairs.reduce((max, { first }) => Math.max(max, first), 0),
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
