// SPDX-License-Identifier: Apache-2.0
import type { ConvNode } from '../../graph/graph.js';

/** Input channels that output channel `oc` of a convolution reads: from `first`, `count` of them. */
export function inputChannels(
  conv: ConvNode,
  shape: readonly number[],
  oc: number,
): { readonly first: number; readonly count: number } {
  const count = shape[1]!;
  const perGroup = shape[0]! / conv.group;
  return { first: Math.floor(oc / perGroup) * count, count };
}
