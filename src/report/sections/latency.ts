// SPDX-License-Identifier: Apache-2.0
import { latency } from '../charts/index.js';
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { fixed, missing, words } from './cells.js';
import type { LayerAnchors } from './layer-names.js';
import { measuredLayers, type Measure } from './measured-layers.js';
import type { Block, Cell, Column, Fact, Section } from './section.js';

type Bench = Labelled<'bench'>;
type Layer = Bench['document']['layers'][number];

export function latencySection(network: Network, anchors: LayerAnchors): Section | undefined {
  const benches = resultsOf(network, 'bench');
  if (benches.length === 0) return undefined;
  const table = { id: `${network.id}-latency-table`, caption };
  const blocks: Block[] = [
    { kind: 'table', table: totals(network, benches) },
    ...benches.flatMap((bench, index) => peerTable(network, bench, index)),
    { kind: 'chart', chart: latency(`${network.id}-latency`, benches.flatMap(rowsOf)) },
    { kind: 'table', table: measuredLayers(table, benches, measures, anchors) },
  ];
  return { id: `${network.id}-latency`, title: 'Time', blocks };
}

function totals(network: Network, benches: readonly Bench[]) {
  const right = (title: string): Column => ({ title, align: 'right' });
  return {
    id: `${network.id}-latency-totals`,
    caption: 'Whole network',
    interactive: false,
    columns: [
      { title: 'result' },
      { title: 'target' },
      { title: 'machine' },
      ...['threads', 'runs', 'p50 ms', 'p90 ms', 'p99 ms', 'load ms', 'added MiB'].map(right),
      { title: 'exact' },
    ],
    rows: benches.map(({ label, document }): readonly Cell[] => {
      const { exact, machine } = document;
      const quiet = machine === undefined ? '' : machine.quiet ? ', quiet' : ', NOT QUIET';
      return [
        words(label),
        words(document.target),
        words(
          `${document.cpu}, ${document.isa}${quiet}`,
          machine?.quiet === false ? 'bad' : 'plain',
        ),
        fixed(document.threads, 0),
        fixed(document.runs, 0),
        ...[document.p50Ms, document.p90Ms, document.p99Ms].map((ms) => fixed(ms, 3)),
        fixed(document.loadMs, 1),
        fixed(document.addedRssMiB, 1),
        words(
          `${exact.differing} of ${exact.compared.toLocaleString('en-US')} values differ from the ${exact.against.join(', ')}`,
          exact.differing > 0 ? 'bad' : 'good',
        ),
      ];
    }),
  };
}

function peerTable(network: Network, { label, document }: Bench, index: number): Block[] {
  if (document.peers.length === 0) {
    return [{ kind: 'text', text: `${label}: no other runtime was timed (--vs).` }];
  }
  const table = {
    id: `${network.id}-peers-${index}`,
    caption: `Other runtimes, in turns with ${label}; a ratio above 1: lastbit is faster`,
    interactive: false,
    columns: [
      { title: 'runtime' },
      { title: 'p50 ms', align: 'right' as const },
      { title: 'ratio', align: 'right' as const },
      { title: 'remarks' },
    ],
    rows: document.peers.map((peer): readonly Cell[] =>
      'excluded' in peer
        ? [words(peer.name), missing, missing, words(`left out: ${peer.excluded}`)]
        : [
            words(peer.name),
            fixed(peer.p50Ms, 3),
            fixed(peer.ratio, 2),
            words(peer.fastestOf ?? peer.version),
          ],
    ),
  };
  return [{ kind: 'table', table }];
}

function rowsOf({ label, document }: Bench) {
  return document.layers.map(({ name, op, ms, kernel }, index) => ({
    ...{ result: label, depth: index + 1, op, ms },
    words: `${shortName(name)}, ${label}: ${ms.toFixed(3)} ms, ${kernel}`,
  }));
}

const caption = 'Median time of each operation, and what it is of multiply-accumulates a second';

const measures: readonly Measure<Layer>[] = [
  { title: 'kernel', cell: ({ kernel }) => words(kernel) },
  { title: 'ms', align: 'right', cell: ({ ms }) => fixed(ms, 3) },
  { title: 'GMAC/s', align: 'right', cell: ({ gmacs }) => fixed(gmacs, 1) },
];

/** What a card says of a layer. */
export function latencyFacts(layer: Layer): readonly Fact[] {
  return measures.map(({ title, cell }) => [title, cell(layer)] as const);
}
