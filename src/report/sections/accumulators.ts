// SPDX-License-Identifier: Apache-2.0
import { accumulatorBits } from '../charts/index.js';
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { layerCell, missing, whole, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import { noteBlocks } from './notes.js';
import type { Block, Cell, Column, Fact, Section } from './section.js';

type Proof = Labelled<'prove'>;
type Layer = Proof['document']['layers'][number];

/** What each accumulator can need over all images, and what the target has. */
export function accumulatorsSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const proofs = resultsOf(network, 'prove');
  if (proofs.length === 0) return undefined;
  const chart = accumulatorBits(`${network.id}-accumulator-bits`, proofs.flatMap(bitsRows));
  const blocks: Block[] = [
    ...proofs.map(verdict),
    { kind: 'chart', chart },
    { kind: 'table', table: layerTable(network, proofs, anchors) },
    ...proofs.flatMap(counterexamples),
    ...noteBlocks(proofs),
  ];
  return { id: `${network.id}-accumulators`, title: 'Accumulators', blocks };
}

function verdict({ label, document }: Proof): Block {
  const { ok, layers, target } = document;
  const failing = layers.filter((layer) => !layer.ok).length;
  const text = ok
    ? `${label}: under ${target} no accumulator can overflow, whatever the image (${layers.length} operations).`
    : `${label}: under ${target} ${failing} of ${layers.length} operations can leave the range of their accumulator.`;
  return { kind: 'text', text, tone: ok ? 'good' : 'bad' };
}

function bitsRows({ label, document }: Proof) {
  return document.layers.map(({ name, bitsNeeded, bitsHave, ok }, index) => ({
    ...{ result: label, depth: index + 1, needed: bitsNeeded, have: bitsHave },
    verdict: ok ? ('holds' as const) : ('can overflow' as const),
    words: `${shortName(name)}, ${label}: ${bitsNeeded} bits needed, ${bitsHave} there`,
  }));
}

interface Measure {
  readonly title: string;
  readonly align?: 'right';
  readonly cell: (layer: Layer) => Cell;
}

const measures: readonly Measure[] = [
  { title: 'least', align: 'right', cell: ({ accMin }) => whole(accMin) },
  { title: 'greatest', align: 'right', cell: ({ accMax }) => whole(accMax) },
  { title: 'bits needed', align: 'right', cell: ({ bitsNeeded }) => whole(bitsNeeded) },
  { title: 'bits there', align: 'right', cell: ({ bitsHave }) => whole(bitsHave) },
  { title: 'verdict', cell: (layer) => words(verdictWords(layer), layer.ok ? 'good' : 'bad') },
];

function verdictWords({ ok, overflow, bitsNeeded, bitsHave, pairs }: Layer): string {
  if (ok) return 'holds';
  const accumulator = bitsNeeded > bitsHave ? [`can ${overflow ?? 'overflow'}`] : [];
  const paired =
    pairs?.ok === false ? [`pairs of products reach ${pairs.min} to ${pairs.max}`] : [];
  return [...accumulator, ...paired].join(', ') || 'does not hold';
}

function layerTable(network: Network, proofs: readonly Proof[], anchors: LayerAnchors) {
  const several = proofs.length > 1;
  const columns: Column[] = [
    { title: '#', align: 'right' },
    { title: 'operation' },
    { title: 'op' },
    ...proofs.flatMap(({ label }) =>
      measures.map(({ title, align }) => ({
        ...{ title, ...(align ? { align } : {}) },
        ...(several ? { group: label } : {}),
      })),
    ),
  ];
  const names = [...new Set(proofs.flatMap(({ document }) => document.layers.map(nameOf)))];
  const byName = proofs.map(
    ({ document }) => new Map(document.layers.map((layer) => [layer.name, layer])),
  );
  const rows = names.map((name, index): readonly Cell[] => {
    const layers = byName.map((known) => known.get(name));
    return [
      { text: String(index + 1), sort: index + 1 },
      layerCell(name, hrefOf(anchors, name)),
      words(layers.find((layer) => layer !== undefined)?.op),
      ...layers.flatMap((layer) => measures.map(({ cell }) => (layer ? cell(layer) : missing))),
    ];
  });
  const caption = 'What each accumulator can reach over all images';
  return { id: `${network.id}-bits-table`, caption, interactive: true, columns, rows };
}

function nameOf({ name }: Layer): string {
  return name;
}

/** As many codes of a counterexample as say what it looks like. */
const shownCodes = 16;

function counterexamples({ label, document }: Proof): Block[] {
  const failing = document.layers.filter(({ ok }) => !ok);
  return failing.slice(0, 3).map(({ name, counterexample }): Block => {
    if (counterexample === undefined) {
      return {
        kind: 'text',
        text: `${label}, ${shortName(name)}: the document has no input codes for it.`,
      };
    }
    const { channel, value, codes } = counterexample;
    const shown = codes.slice(0, shownCodes).join(' ');
    const more = codes.length > shownCodes ? ` ... (${codes.length} in the document)` : '';
    return {
      kind: 'code',
      label: `${label}, ${shortName(name)}, channel ${channel}: the sum is ${value.toLocaleString('en-US')} for the input codes`,
      text: `${shown}${more}`,
    };
  });
}

/** What a card says of a layer. */
export function proofFacts(layer: Layer): readonly Fact[] {
  return measures.map(({ title, cell }) => [title, cell(layer)] as const);
}
