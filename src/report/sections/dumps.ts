// SPDX-License-Identifier: Apache-2.0
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { layerCell, whole, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import { noteBlocks } from './notes.js';
import type { Block, Cell, Column, Section } from './section.js';

type Dumps = Labelled<'compare-dump'>;

/** What a device or a simulation wrote, against the target. */
export function dumpsSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const results = resultsOf(network, 'compare-dump');
  if (results.length === 0) return undefined;
  const blocks = results.flatMap((result, index) => blocksOf(network, result, index, anchors));
  return { id: `${network.id}-dumps`, title: 'Dumps against the target', blocks };
}

function blocksOf(
  network: Network,
  { label, document }: Dumps,
  index: number,
  anchors: LayerAnchors,
): Block[] {
  const { first, missing, unmatched, target, trap } = document;
  const verdict =
    first === null
      ? `${label}: all ${document.layers.length} dumps equal ${target}.`
      : `${label}: first difference in ${shortName(first.name)}; ${first.hints.join('; ') || 'no known pattern'}.`;
  return [
    { kind: 'text', text: verdict, tone: first === null ? 'good' : 'bad' },
    ...(first === null ? [] : [positions(network, first, index)]),
    { kind: 'table', table: layerTable(network, document, index, anchors) },
    ...listed('Layers without a dump', missing),
    ...listed('Files that belong to no layer', unmatched),
    ...noteBlocks([{ label, document }]),
    ...(trap === undefined ? [] : listed('Accumulator trapped in', [trap.layer])),
  ];
}

function listed(what: string, names: readonly string[]): Block[] {
  return names.length === 0
    ? []
    : [{ kind: 'text', text: `${what}: ${names.map(shortName).join(', ')}.` }];
}

function positions(
  network: Network,
  first: NonNullable<Dumps['document']['first']>,
  index: number,
): Block {
  const table = {
    id: `${network.id}-dump-positions-${index}`,
    caption: `First codes that differ in ${shortName(first.name)}`,
    interactive: false,
    columns: ['row', 'column', 'channel', 'expected', 'in the dump'].map((title): Column => ({
      title,
      align: 'right',
    })),
    rows: first.positions.map(({ y, x, channel, expected, got }) =>
      [y, x, channel, expected, got].map(whole),
    ),
  };
  return { kind: 'table', table };
}

function layerTable(
  network: Network,
  { layers, target }: Dumps['document'],
  index: number,
  anchors: LayerAnchors,
) {
  return {
    id: `${network.id}-dump-table-${index}`,
    caption: `Dumps against ${target}`,
    interactive: true,
    columns: [
      { title: 'layer' },
      { title: 'file' },
      { title: 'read as' },
      { title: 'differing', align: 'right' as const },
      { title: 'of', align: 'right' as const },
      { title: 'LSB', align: 'right' as const },
      { title: 'hints' },
    ],
    rows: layers.map((layer): readonly Cell[] => [
      layerCell(layer.name, hrefOf(anchors, layer.name)),
      words(layer.file),
      words(`${layer.dtype} ${layer.read}, ${layer.layout} by ${layer.layoutFrom}`),
      { ...whole(layer.differing), tone: layer.differing > 0 ? 'bad' : 'plain' },
      whole(layer.elements),
      whole(layer.maxLsb),
      { text: layer.hints.join('; ') },
    ]),
  };
}
