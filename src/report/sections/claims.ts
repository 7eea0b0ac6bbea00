// SPDX-License-Identifier: Apache-2.0
// Claims of a paper, each with its measurement, interval and verdict, and the tables they rest on.
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { missing, significant, whole, words } from './cells.js';
import { noteBlocks } from './notes.js';
import type { Block, Cell, Section, Table, Tone } from './section.js';

type Experiment = Labelled<'experiment'>['document'];
type Claim = Experiment['claims'][number];

export function claimsSection(network: Network): Section | undefined {
  const results = resultsOf(network, 'experiment');
  if (results.length === 0) return undefined;
  const blocks = results.flatMap((result, index) => blocksOf(network, result, index));
  return { id: `${network.id}-claims`, title: 'Claims of the paper', blocks };
}

/** A verdict in its colour: a claim that is refuted is no fault of the network. */
export const toneOfVerdict: Readonly<Record<Claim['verdict'], Tone>> = {
  shown: 'good',
  refuted: 'bad',
  undecided: 'plain',
};

function blocksOf(
  network: Network,
  { label, document }: Labelled<'experiment'>,
  index: number,
): Block[] {
  const { paper, nets, images, claims, tables } = document;
  const id = (name: string): string => `${network.id}-${name}-${index}`;
  return [
    {
      kind: 'facts',
      facts: [
        ['paper', words(paper)],
        ['networks', words(nets.map(({ name }) => name).join(', '))],
        ['images of each', whole(images)],
      ],
    },
    { kind: 'table', table: claimTable(id('claims'), claims) },
    ...tables.map((table): Block => ({ kind: 'table', table: dataTable(id(table.name), table) })),
    ...noteBlocks([{ label, document }]),
  ];
}

function claimTable(id: string, claims: readonly Claim[]): Table {
  return {
    ...{ id, caption: 'Claims, and what became of them here', interactive: false },
    columns: [
      { title: 'claim' },
      { title: 'verdict' },
      { title: 'measured' },
      { title: 'value', align: 'right' },
      { title: '95 % interval', align: 'right' },
      { title: 'unit' },
      { title: 'statistic' },
      { title: 'why' },
    ],
    rows: claims.map((claim) => [
      words(claim.statement),
      words(claim.verdict, toneOfVerdict[claim.verdict]),
      words(claim.measurement),
      claim.value === null ? missing : significant(claim.value, 4),
      claim.ci95 === null
        ? missing
        : words(claim.ci95.map((end) => significant(end, 4).text).join(' to ')),
      words(claim.unit),
      words(claim.statistic),
      { text: claim.reason },
    ]),
  };
}

function dataTable(id: string, { title, columns, rows }: Experiment['tables'][number]): Table {
  const numeric = columns.map((_, i) => rows.some((row) => typeof row[i] === 'number'));
  return {
    ...{ id, caption: title, interactive: true },
    columns: columns.map((name, i) => ({
      title: name,
      ...(numeric[i] === true ? { align: 'right' as const } : {}),
    })),
    rows: rows.map((row) => columns.map((_, i) => dataCell(row[i]))),
  };
}

function dataCell(value: string | number | null | undefined): Cell {
  if (value === null || value === undefined) return missing;
  return typeof value === 'number' ? significant(value, 5) : { text: value };
}
