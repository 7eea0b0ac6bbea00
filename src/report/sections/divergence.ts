// SPDX-License-Identifier: Apache-2.0
// Where targets part, by how much, and which ingredient of the arithmetic does it.
import { divergence, shareClasses } from '../charts/index.js';
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { layerCell, missing, whole, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import { noteBlocks } from './notes.js';
import type { Block, Cell, Column, Fact, Section } from './section.js';

type Diff = Labelled<'diff'>;
type First = NonNullable<Diff['document']['first']>;
type Entry = Diff['document']['layers'][number]['others'][number];

export function divergenceSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const diffs = resultsOf(network, 'diff');
  if (diffs.length === 0) return undefined;
  const blocks: Block[] = [
    { kind: 'table', table: matrix(network, diffs) },
    ...diffs.flatMap((diff, index) => diffBlocks(network, diff, index, anchors)),
  ];
  return { id: `${network.id}-divergence`, title: 'Targets against each other', blocks };
}

/** Every target against every other; what no result compared is said to be so. */
function matrix(network: Network, diffs: readonly Diff[]) {
  const targets = [...new Set(diffs.flatMap(({ document }) => document.targets))];
  const evidence = Object.assign(
    {},
    ...diffs.map(({ document }) => document.evidence ?? {}),
  ) as Readonly<Record<string, string>>;
  return {
    id: `${network.id}-target-matrix`,
    caption: 'First operation in which two targets part',
    interactive: false,
    columns: [
      { title: 'reference' },
      ...targets.map((target): Column => ({
        title: `${target} (${evidence[target] ?? 'not stated'})`,
      })),
    ],
    rows: targets.map((reference) => [
      words(reference),
      ...targets.map((target) => pairCell(diffs, reference, target)),
    ]),
  };
}

function pairCell(diffs: readonly Diff[], reference: string, target: string): Cell {
  if (reference === target) return { text: 'itself' };
  const found = diffs
    .filter(({ document }) => document.targets[0] === reference)
    .flatMap(({ document }) => document.firsts)
    .find((one) => one.target === target);
  if (found === undefined) return { text: 'not compared', missing: true };
  const { first } = found;
  if (first === null) return { text: 'equal', tone: 'good' };
  const where = `${shortName(first.layer)} (${first.op})`;
  const counts = `${first.differing.toLocaleString('en-US')} of ${first.elements.toLocaleString('en-US')} codes, ${first.maxLsb} LSB`;
  return { text: `${where}: ${counts}; ${first.cause}`, title: first.layer, tone: 'bad' };
}

function diffBlocks(
  network: Network,
  { label, document }: Diff,
  index: number,
  anchors: LayerAnchors,
): Block[] {
  const [reference = ''] = document.targets;
  const chart = divergence(`${network.id}-divergence-${index}`, reference, heatRows(document));
  const refused = document.refused.map(({ target, reason }): Block => ({
    kind: 'text',
    text: `${target} cannot represent the model: ${reason}`,
  }));
  return [
    ...document.firsts.flatMap(({ first }) =>
      first === null ? [] : [firstFacts(first, reference)],
    ),
    { kind: 'chart', chart },
    { kind: 'table', table: layerTable(network, document, index, anchors) },
    ...refused,
    ...noteBlocks([{ label, document }]),
  ];
}

function firstFacts(first: First, reference: string): Block {
  const { trap } = first;
  const facts: Fact[] = [
    ['parts', words(`${first.target} from ${reference}`, 'bad')],
    ['first in', words(`${shortName(first.layer)} (${first.op})`)],
    [
      'codes',
      words(
        `${first.differing.toLocaleString('en-US')} of ${first.elements.toLocaleString('en-US')}, at most ${first.maxLsb} LSB`,
      ),
    ],
    [
      'cause',
      words(`${first.cause}, ${first.alone ? 'which alone explains it' : 'in combination'}`),
    ],
    ...first.steps.map(({ ingredient, detail, changed }): Fact => [
      `exchanged ${ingredient}`,
      words(`${detail}: ${changed.toLocaleString('en-US')} codes change`),
    ]),
    ...(trap === undefined ? [] : [['trap', words(`${trap.layer}: ${trap.value}`)] as const]),
  ];
  return { kind: 'facts', facts };
}

function heatRows({ layers }: Diff['document']) {
  return layers.flatMap(({ name, others }, depth) =>
    others.flatMap(({ target, isolated, accumulated }) =>
      [
        { where: 'alone' as const, counts: isolated },
        { where: 'in the network' as const, counts: accumulated },
      ]
        .filter(({ counts }) => counts.elements > 0)
        .map(({ where, counts }) => ({
          ...{ target, depth, where },
          share: classOf(counts.differing / counts.elements),
          words: `${shortName(name)}, ${target}, ${where}: ${counts.differing} of ${counts.elements} codes differ, at most ${counts.maxLsb} LSB`,
        })),
    ),
  );
}

function classOf(share: number): (typeof shareClasses)[number] {
  if (share === 0) return shareClasses[0];
  const limits = [0.001, 0.01, 0.1];
  const index = limits.findIndex((limit) => share <= limit);
  return shareClasses[index < 0 ? 4 : index + 1]!;
}

function layerTable(
  network: Network,
  { layers, targets }: Diff['document'],
  index: number,
  anchors: LayerAnchors,
) {
  const others = targets.slice(1);
  const columns: Column[] = [
    { title: '#', align: 'right' },
    { title: 'operation' },
    { title: 'op' },
    ...others.flatMap((group) =>
      measures.map(({ title, align }) => ({ title, group, ...(align ? { align } : {}) })),
    ),
  ];
  const rows = layers.map((layer, depth): readonly Cell[] => [
    { text: String(depth), sort: depth },
    layerCell(layer.name, hrefOf(anchors, layer.name)),
    words(layer.op),
    ...others.flatMap((target) => {
      const entry = layer.others.find((one) => one.target === target);
      return measures.map(({ cell }) => (entry === undefined ? missing : cell(entry)));
    }),
  ]);
  const caption = `Codes that differ from ${targets[0]!}, each operation alone and in the running network`;
  return { id: `${network.id}-diff-table-${index}`, caption, interactive: true, columns, rows };
}

interface Measure {
  readonly title: string;
  readonly align?: 'right';
  readonly cell: (entry: Entry) => Cell;
}

const measures: readonly Measure[] = [
  { title: 'alone', align: 'right', cell: ({ isolated }) => whole(isolated.differing) },
  { title: 'LSB alone', align: 'right', cell: ({ isolated }) => whole(isolated.maxLsb) },
  { title: 'in net', align: 'right', cell: ({ accumulated }) => whole(accumulated.differing) },
  { title: 'LSB in net', align: 'right', cell: ({ accumulated }) => whole(accumulated.maxLsb) },
  {
    title: 'of',
    align: 'right',
    cell: ({ accumulated, isolated }) => whole(accumulated.elements || isolated.elements),
  },
  { title: 'cause, alone', cell: ({ cause }) => ({ text: cause?.text ?? '' }) },
];

/** What a card says of a layer. */
export function divergenceFacts(
  layer: Diff['document']['layers'][number],
): readonly { readonly target: string; readonly facts: readonly Fact[] }[] {
  return layer.others.map((entry) => ({
    target: entry.target,
    facts: measures.map(({ title, cell }) => [title, cell(entry)] as const),
  }));
}
