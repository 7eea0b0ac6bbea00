// SPDX-License-Identifier: Apache-2.0
import type { Network } from '../read/index.js';

/** The layers of a network by name, each with the anchor of its card. */
export type LayerAnchors = ReadonlyMap<string, string>;

/** Every layer that some result names: those of the longest list in its order, then the others. */
export function layerAnchors({ id, results }: Network): LayerAnchors {
  const lists = results.map(({ document }) => namesIn(document));
  const ordered = [...lists].sort((a, b) => b.length - a.length).flat();
  return new Map([...new Set(ordered)].map((name, index) => [name, `${id}-layer-${index}`]));
}

function namesIn(document: Network['results'][number]['document']): readonly string[] {
  const network = 'network' in document ? document.network : undefined;
  if (network !== undefined) return network.map(({ name }) => name);
  const layers = 'layers' in document ? document.layers : 0;
  return typeof layers === 'number' ? [] : layers.map(({ name }) => name);
}

export function hrefOf(anchors: LayerAnchors, name: string): string | undefined {
  const anchor = anchors.get(name);
  return anchor === undefined ? undefined : `#${anchor}`;
}
