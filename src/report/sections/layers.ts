// SPDX-License-Identifier: Apache-2.0
// The error of every layer, in the running network and alone, in dB and in steps of its codes.
import { errorByDepth } from '../charts/index.js';
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { decibels, fixed, layerCell, missing, percent, points, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import { noteBlocks } from './notes.js';
import type { Block, Cell, Column, Fact, Section } from './section.js';

type Comparison = Labelled<'compare'>;
type Layer = Comparison['document']['layers'][number];

export function layersSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const comparisons = resultsOf(network, 'compare');
  if (comparisons.length === 0) return undefined;
  const chart = errorByDepth(`${network.id}-error-by-depth`, comparisons.flatMap(errorRows));
  const blocks: Block[] = [
    { kind: 'chart', chart },
    ...comparisons.flatMap(exactNote),
    { kind: 'table', table: layerTable(network, comparisons, anchors) },
    ...noteBlocks(comparisons),
  ];
  return { id: `${network.id}-layers`, title: 'Error by layer', blocks };
}

function errorRows({ label, document }: Comparison) {
  return document.layers.flatMap(({ name, sqnrDb, sqnrIsolatedDb }, index) => {
    const layer = shortName(name);
    const point = (where: 'in the network' | 'alone', db: number | null | undefined) =>
      db === null || db === undefined
        ? []
        : [
            {
              ...{ result: label, depth: index + 1, layer, where, db },
              words: `${layer}, ${label}, ${where}: ${db.toFixed(1)} dB`,
            },
          ];
    return [...point('in the network', sqnrDb), ...point('alone', sqnrIsolatedDb)];
  });
}

/** Points that no scale holds. */
function exactNote({ label, document }: Comparison): Block[] {
  const exact = document.layers.filter(({ sqnrDb }) => sqnrDb === null).length;
  if (exact === 0) return [];
  return [
    { kind: 'text', text: `${label}: ${exact} layers without any error are not in the picture.` },
  ];
}

interface Measure {
  readonly title: string;
  readonly cell: (layer: Layer) => Cell;
}

const measures: readonly Measure[] = [
  { title: 'dB in net', cell: ({ sqnrDb }) => decibels(sqnrDb) },
  { title: 'dB alone', cell: ({ sqnrIsolatedDb }) => decibels(sqnrIsolatedDb) },
  { title: 'rms LSB in net', cell: ({ rmsErrorLsb }) => fixed(rmsErrorLsb, 2) },
  { title: 'rms LSB alone', cell: ({ rmsErrorIsolatedLsb }) => fixed(rmsErrorIsolatedLsb, 2) },
  { title: 'max LSB in net', cell: ({ maxErrorLsb }) => fixed(maxErrorLsb, 1) },
  { title: 'max LSB alone', cell: ({ maxErrorIsolatedLsb }) => fixed(maxErrorIsolatedLsb, 1) },
  { title: 'saturated', cell: ({ saturatedPercent }) => percent(saturatedPercent) },
];

function layerTable(network: Network, comparisons: readonly Comparison[], anchors: LayerAnchors) {
  const several = comparisons.length > 1;
  const group = (label: string) => (several ? { group: label } : {});
  const columns: Column[] = [
    { title: '#', align: 'right' },
    { title: 'layer' },
    { title: 'kind' },
    ...comparisons.flatMap(({ label }) =>
      measures.map(({ title }) => ({ title, align: 'right' as const, ...group(label) })),
    ),
    ...(several
      ? [{ title: 'dB in net', group: 'change, last against first', align: 'right' as const }]
      : []),
  ];
  const names = [...new Set(comparisons.flatMap(({ document }) => document.layers.map(nameOf)))];
  const byName = comparisons.map(
    ({ document }) => new Map(document.layers.map((layer) => [layer.name, layer])),
  );
  const rows = names.map((name, index): readonly Cell[] => {
    const layers = byName.map((known) => known.get(name));
    return [
      { text: String(index + 1), sort: index + 1 },
      layerCell(name, hrefOf(anchors, name)),
      words(layers.find((layer) => layer !== undefined)?.kind),
      ...layers.flatMap((layer) => measures.map(({ cell }) => (layer ? cell(layer) : missing))),
      ...(several ? [changeOf(layers[0], layers.at(-1))] : []),
    ];
  });
  const caption =
    'Error of each layer behind its predecessors (in net) and alone on the float input';
  return { id: `${network.id}-layer-table`, caption, interactive: true, columns, rows };
}

function nameOf({ name }: Layer): string {
  return name;
}

function changeOf(before: Layer | undefined, after: Layer | undefined): Cell {
  if (before === undefined || after === undefined) return missing;
  if (before.sqnrDb === null || after.sqnrDb === null) {
    return words(before.sqnrDb === after.sqnrDb ? 'both exact' : 'one is exact');
  }
  const change = after.sqnrDb - before.sqnrDb;
  return { ...points(change), tone: change < 0 ? 'bad' : 'good' };
}

/** What a card says of a layer. */
export function comparisonFacts(layer: Layer): readonly Fact[] {
  return [
    ...measures.map(({ title, cell }) => [title, cell(layer)] as const),
    ['cosine', fixed(layer.cosine, 5)],
  ];
}
