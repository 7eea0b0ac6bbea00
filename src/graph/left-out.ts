// SPDX-License-Identifier: Apache-2.0
// Operators at the outputs of a file that the graph does without, and what people are told of them.
import type { Graph } from './graph.js';

/** Metadata key with one sentence for each output that is taken before operators of the file. */
const leftOutKey = 'lastbit.leftOut';

/** What was left out at the outputs of a network, for people; empty where nothing was. */
export function leftOutOf({ metadata }: Pick<Graph, 'metadata'>): readonly string[] {
  const sentences = metadata.get(leftOutKey);
  return sentences === undefined ? [] : sentences.split('\n');
}

/** The metadata with one more sentence. */
export function withLeftOut(
  metadata: Graph['metadata'],
  sentences: readonly string[],
): Graph['metadata'] {
  if (sentences.length === 0) return metadata;
  return new Map([
    ...metadata,
    [leftOutKey, [...leftOutOf({ metadata }), ...sentences].join('\n')],
  ]);
}
