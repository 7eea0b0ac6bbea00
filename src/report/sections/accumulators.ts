// SPDX-License-Identifier: Apache-2.0
import { accumulatorBits } from '../charts/index.js';
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { whole, words } from './cells.js';
import type { LayerAnchors } from './layer-names.js';
import { measuredLayers, type Measure } from './measured-layers.js';
import { noteBlocks } from './notes.js';
import type { Block, Fact, Section } from './section.js';

type Proof = Labelled<'prove'>;
type Layer = Proof['document']['layers'][number];

/** What each accumulator can need over all images, and what the target has. */
export function accumulatorsSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const proofs = resultsOf(network, 'prove');
  if (proofs.length === 0) return undefined;
  const chart = accumulatorBits(`${network.id}-accumulator-bits`, proofs.flatMap(bitsRows));
  const table = { id: `${network.id}-bits-table`, caption };
  const blocks: Block[] = [
    ...proofs.map(verdict),
    { kind: 'chart', chart },
    { kind: 'table', table: measuredLayers(table, proofs, measures, anchors) },
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

const caption = 'What each accumulator can reach over all images';

const measures: readonly Measure<Layer>[] = [
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
