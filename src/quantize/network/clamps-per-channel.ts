// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { Clamp, Graph } from '../../graph/graph.js';

/** Layers that are named; the rest is counted. */
const listed = 6;

/**
 * Refuses bounds that differ between channels where the target has one clamp per tensor, or where they are no part
 * of a convolution. Whether they fall into one code depends on the calibration, so what the network
 * is decides, not what the images happen to be: inspect and quantize then say the same.
 *
 * @throws ModelError `target-constraint` naming the layers
 */
export function requireClampForms(graph: Graph, perChannelClamp: boolean): void {
  const names = graph.nodes.flatMap((node) => {
    const clamp = 'clamp' in node ? node.clamp : undefined;
    if (clamp === undefined || !differs(clamp)) return [];
    return perChannelClamp && node.op === 'Conv' ? [] : [`"${node.name}"`];
  });
  if (names.length === 0) return;
  const more = names.length > listed ? ` and ${names.length - listed} more` : '';
  throw new ModelError(
    'target-constraint',
    `node${names.length === 1 ? '' : 's'} ${names.slice(0, listed).join(', ')}${more}`,
    perChannelClamp
      ? 'bounds differ between channels, which the target has on convolutions only; put a convolution before the clamp'
      : 'bounds differ between channels, and the target has one clamp per tensor; use one bound, or --target q31-pc',
  );
}

function differs({ lo, hi }: Clamp): boolean {
  return [lo, hi].some((side) => side.some((bound) => bound !== side[0]));
}
