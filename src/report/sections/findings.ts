// SPDX-License-Identifier: Apache-2.0
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { layerCell, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import { noteBlocks } from './notes.js';
import type { Block, Cell, Section } from './section.js';

/** Why the network quantizes well or badly, in words. */
export function findingsSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const analyses = resultsOf(network, 'analyze');
  if (analyses.length === 0) return undefined;
  const blocks = analyses.flatMap((analysis, index) => blocksOf(network, analysis, index, anchors));
  const all = [...blocks, ...noteBlocks(analyses)];
  return { id: `${network.id}-findings`, title: 'What stands out', blocks: all };
}

function blocksOf(
  network: Network,
  { label, document }: Labelled<'analyze'>,
  index: number,
  anchors: LayerAnchors,
): Block[] {
  const { findings, images, seenBy } = document;
  const seen =
    seenBy === 'images'
      ? `activations seen on ${images} images`
      : seenBy === 'data-free'
        ? 'activations as the batch norms describe them'
        : 'weights alone; activations were not looked at';
  if (findings.length === 0) {
    return [
      { kind: 'text', text: `Nothing stands out (${seen}): 8 bits should do.`, tone: 'good' },
    ];
  }
  const table = {
    id: `${network.id}-findings-${index}`,
    caption: `Findings ${label}, the gravest first; ${seen}`,
    interactive: false,
    columns: [
      { title: 'what' },
      { title: 'layers', align: 'right' as const },
      { title: 'such as' },
      { title: 'remedy' },
    ],
    rows: findings.map(({ what, layers, remedy }): readonly Cell[] => [
      words(what),
      { text: String(layers.length), sort: layers.length, title: layers.join('\n') },
      layerCell(layers[0] ?? '', hrefOf(anchors, layers[0] ?? '')),
      words(remedy),
    ]),
  };
  return [{ kind: 'table', table }];
}
