// SPDX-License-Identifier: Apache-2.0
// The answers first: accuracy, agreement of targets, certificates, time.
import { accuracy } from '../charts/index.js';
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { decibels, fixed, missing, percent, points, significant, whole, words } from './cells.js';
import { toneOfVerdict } from './claims.js';
import { noteBlocks } from './notes.js';
import type { Block, Cell, Section, Tile, Tone } from './section.js';

export function verdictSection(network: Network): Section {
  const evaluations = resultsOf(network, 'evaluate');
  const tiles = [
    ...evaluations.map(accuracyTile),
    ...resultsOf(network, 'compare').map(compareTile),
    ...resultsOf(network, 'diff').map(diffTile),
    ...resultsOf(network, 'compare-dump').map(dumpTile),
    ...resultsOf(network, 'prove').map(proveTile),
    ...resultsOf(network, 'bench').map(benchTile),
    ...resultsOf(network, 'verify').map(verifyTile),
    ...resultsOf(network, 'experiment').flatMap(claimTiles),
  ].map((tile) => ({ ...tile, href: `#${network.id}-${tile.href ?? ''}` }));
  const blocks: Block[] = [
    ...(tiles.length === 0 ? [nothing] : [{ kind: 'tiles', tiles } as const]),
    ...accuracyBlocks(network, evaluations),
  ];
  return { id: `${network.id}-verdict`, title: 'Verdict', blocks };
}

const nothing: Block = {
  kind: 'text',
  text: 'None of these results judges the network: evaluate, compare, diff, prove and bench do.',
};

type Evaluation = Labelled<'evaluate'>;

function accuracyTile({ label, document }: Evaluation): Tile {
  const { top1, n, paired, float, top1Ci95 } = document;
  const interval = `95 % interval ${range(top1Ci95)}, ${n} images`;
  const tie = `${document.tiesAtTopPercent.toFixed(2)} % tied at the top`;
  const against =
    float === undefined
      ? 'no float reference in this result'
      : `float ${float.top1.toFixed(2)} % on the same images`;
  return {
    title: `Top-1, ${label}`,
    value: `${top1.toFixed(2)} %`,
    details: [
      interval,
      against,
      ...(paired ? [pairedWords(paired)] : []),
      ...limits(document),
      tie,
    ],
    tone:
      document.expect?.ok === false ? 'bad' : paired === undefined ? 'plain' : toneOf(paired.ci95),
    href: 'verdict-accuracy',
  };
}

/** What the number of images can tell, and what was asked of the result. */
function limits({ detectableDrop: least, expect }: Evaluation['document']): readonly string[] {
  const drop =
    least === undefined
      ? []
      : [`a loss below ${least.toFixed(2)} points could not be told from none`];
  if (expect === undefined) return drop;
  return [...drop, `${expect.name}: ${expect.ok ? 'reached' : 'missed'}`];
}

type Paired = NonNullable<Evaluation['document']['paired']>;

/** A difference counts where its interval leaves out zero. */
function pairedWords({ delta, ci95 }: Paired): string {
  const sign = delta > 0 ? '+' : '';
  return `${sign}${delta.toFixed(2)} points (${range(ci95)}): ${meaning(ci95)}`;
}

function meaning([low, high]: Paired['ci95']): string {
  if (high !== null && high < 0) return 'a loss beyond chance';
  if (low !== null && low > 0) return 'a gain beyond chance';
  return 'within chance';
}

function toneOf([, high]: Paired['ci95']): Tone {
  return high !== null && high < 0 ? 'bad' : 'good';
}

function compareTile({ label, document }: Labelled<'compare'>): Tile {
  const output = document.layers.at(-1);
  const { trap } = document;
  return {
    title: `Against float, ${label}`,
    value: output === undefined ? 'no layer' : dbWords(output.sqnrDb),
    details: [
      'SQNR of the last layer',
      `same class on ${document.top1Agreement.toFixed(1)} % of ${document.images} images`,
      ...(trap === undefined ? [] : [`accumulator trapped in ${shortName(trap.layer)}`]),
    ],
    tone: trap === undefined ? 'plain' : 'bad',
    href: 'layers',
  };
}

function dbWords(value: number | null): string {
  const { text } = decibels(value);
  return value === null ? text : `${text} dB`;
}

function diffTile({ document }: Labelled<'diff'>): Tile {
  const { targets, firsts, first, images } = document;
  const parting = firsts.filter((one) => one.first !== null).length;
  const equal = `${firsts.length - parting} of ${firsts.length} equal ${targets[0]!}`;
  return {
    title: `Targets against ${targets[0]!}`,
    value: first === null ? 'equal' : `${parting} part`,
    details: [
      first === null ? `every code of ${images} images` : equal,
      ...(first === null
        ? []
        : [
            `first in ${shortName(first.layer)}: ${first.differing.toLocaleString('en-US')} codes, at most ${first.maxLsb} LSB`,
            first.cause,
          ]),
    ],
    tone: first === null ? 'good' : 'bad',
    href: 'divergence',
  };
}

function dumpTile({ label, document }: Labelled<'compare-dump'>): Tile {
  const { first, layers, target } = document;
  return {
    title: `Dumps, ${label}`,
    value: first === null ? 'equal' : 'differ',
    details: [
      `${layers.length} dumps against ${target}`,
      ...(first === null
        ? []
        : [
            `first in ${shortName(first.name)}: ${first.differing} codes, at most ${first.maxLsb} LSB`,
            ...first.hints,
          ]),
    ],
    tone: first === null ? 'good' : 'bad',
    href: 'dumps',
  };
}

function proveTile({ label, document }: Labelled<'prove'>): Tile {
  const { ok, layers, target } = document;
  const failing = layers.filter((layer) => !layer.ok);
  const most = Math.max(0, ...layers.map(({ bitsNeeded }) => bitsNeeded));
  return {
    title: `Accumulators, ${label}`,
    value: ok ? 'cannot overflow' : 'can overflow',
    details: [
      `${target}, whatever the image`,
      ok ? `at most ${most} bits needed` : `${failing.length} of ${layers.length} operations`,
      ...failing.slice(0, 1).map(({ name }) => `first ${shortName(name)}`),
    ],
    tone: ok ? 'good' : 'bad',
    href: 'accumulators',
  };
}

function benchTile({ label, document }: Labelled<'bench'>): Tile {
  const { p50Ms, p90Ms, p99Ms, peers, machine, threads, exact } = document;
  return {
    title: `Time, ${label}`,
    value: `${p50Ms.toFixed(3)} ms`,
    details: [
      `p90 ${p90Ms.toFixed(3)}, p99 ${p99Ms.toFixed(3)} ms; ${threads} thread${threads === 1 ? '' : 's'}`,
      ...hardestPeer(peers),
      `${exact.differing} of ${exact.compared.toLocaleString('en-US')} values differ`,
      ...(machine?.quiet === false ? ['the machine was not quiet: times are unreliable'] : []),
    ],
    tone: exact.differing > 0 ? 'bad' : 'plain',
    href: 'latency',
  };
}

/** The one that lastbit leads by least. */
function hardestPeer(peers: Labelled<'bench'>['document']['peers']): readonly string[] {
  const timed = peers.flatMap((peer) =>
    'ratio' in peer && peer.fastestOf === undefined ? [peer] : [],
  );
  if (timed.length === 0) return [];
  const { name, ratio } = timed.reduce((a, b) => (b.ratio < a.ratio ? b : a));
  return [`${ratio.toFixed(2)} x as fast as ${name}, the fastest of ${timed.length} others`];
}

function verifyTile({ document }: Labelled<'verify'>): Tile {
  const { ok, differing, arrays, files } = document;
  return {
    title: 'Golden vectors',
    value: ok ? 'verified' : `${differing} differ`,
    details: [`${arrays} arrays, ${files} files`],
    tone: ok ? 'good' : 'bad',
    href: 'vectors',
  };
}

function claimTiles({ document }: Labelled<'experiment'>): readonly Tile[] {
  return document.claims.map(({ id, verdict, statement, measurement, value, unit }) => ({
    title: id,
    value: verdict,
    details: [
      statement,
      value === null ? measurement : `${measurement}: ${significant(value).text} ${unit}`,
    ],
    tone: toneOfVerdict[verdict],
    href: 'claims',
  }));
}

function accuracyBlocks(network: Network, evaluations: readonly Evaluation[]): Block[] {
  if (evaluations.length === 0) return [];
  const chart = accuracy(`${network.id}-accuracy`, accuracyRows(evaluations));
  const table = {
    id: `${network.id}-verdict-accuracy`,
    caption: 'Accuracy; a difference counts where its interval leaves out zero',
    interactive: false,
    columns: accuracyColumns,
    rows: [...evaluations.map(accuracyCells), ...changeRow(evaluations)],
  };
  return [{ kind: 'chart', chart }, { kind: 'table', table }, ...noteBlocks(evaluations)];
}

const accuracyColumns = [
  { title: 'result' },
  { title: 'target' },
  { title: 'evidence' },
  ...['images', 'top-1', '95 % interval', 'float', 'difference', '95 % interval', 'p'].map(
    (title) => ({ title, align: 'right' as const }),
  ),
  ...['top-5', 'ties at the top', 'top-1 if ties count', 'scores, dB'].map((title) => ({
    title,
    align: 'right' as const,
  })),
];

function accuracyCells({ label, document }: Evaluation): readonly Cell[] {
  const { float, paired } = document;
  return [
    words(label),
    words(document.target),
    words(document.evidence),
    whole(document.n),
    percent(document.top1),
    words(range(document.top1Ci95)),
    percent(float?.top1),
    points(paired?.delta),
    paired === undefined ? missing : words(range(paired.ci95), toneOf(paired.ci95)),
    paired === undefined ? missing : words(paired.pValue?.toPrecision(2)),
    percent(document.top5),
    percent(document.tiesAtTopPercent),
    percent(document.top1IfTiesCount),
    decibels(document.scoreSqnrDb),
  ];
}

/** The last against the first. */
function changeRow(evaluations: readonly Evaluation[]): (readonly Cell[])[] {
  const [first, last] = [evaluations[0]!.document, evaluations.at(-1)!.document];
  if (evaluations.length < 2) return [];
  const same = first.n === last.n ? '' : ' (other numbers of images)';
  const none: Cell = { text: '' };
  return [
    [
      words(`change, last against first${same}`),
      ...[none, none, none],
      points(last.top1 - first.top1),
      ...[none, none, none, none, none],
      points(last.top5 - first.top5),
      points(last.tiesAtTopPercent - first.tiesAtTopPercent),
      ...[none, none],
    ],
  ];
}

function accuracyRows(evaluations: readonly Evaluation[]) {
  return evaluations.flatMap(({ label, document: { top1, top1Ci95, float } }) => [
    {
      ...{ result: label, what: 'integers' as const, top1 },
      ...{ low: top1Ci95[0], high: top1Ci95[1] },
      words: `${label}: top-1 ${top1.toFixed(2)} %, ${range(top1Ci95)}`,
    },
    ...(float === undefined
      ? []
      : [
          {
            ...{ result: label, what: 'float' as const, top1: float.top1, low: null, high: null },
            words: `float on the images of ${label}: ${float.top1.toFixed(2)} %`,
          },
        ]),
  ]);
}

function range([low, high]: Paired['ci95']): string {
  return `${fixed(low, 2).text} to ${fixed(high, 2).text}`;
}
