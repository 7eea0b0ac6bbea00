// SPDX-License-Identifier: Apache-2.0
import type { LayerProof } from '../prove/index.js';
import type { ProveDocument } from './documents.js';
import { type Column, factList, rarePercent, shortName, textTable } from './text-table.js';

export function proveText(document: ProveDocument): string {
  const { layers, ok } = document;
  const failing = layers.filter((layer) => !layer.ok);
  const facts = factList([
    ['model', document.model],
    ['target', document.target],
    [
      'certificate',
      ok
        ? `no accumulator can overflow, whatever the image (${layers.length} operations)`
        : `${failing.length} of ${layers.length} operations can leave their accumulator's range`,
    ],
    ...reachedFacts(document),
    ...document.notes.map((note) => ['note', note] as const),
  ]);
  const table = textTable(layers, [
    { title: 'layer', value: ({ name }) => shortName(name) },
    { title: 'op', value: ({ op }) => op },
    { title: 'min', value: ({ accMin }) => String(accMin), align: 'right' },
    { title: 'max', value: ({ accMax }) => String(accMax), align: 'right' },
    { title: 'bits needed', value: ({ bitsNeeded }) => String(bitsNeeded), align: 'right' },
    { title: 'have', value: ({ bitsHave }) => String(bitsHave), align: 'right' },
    ...(document.measured === undefined ? [] : reachedColumns),
    { title: '', value: verdict },
  ]);
  return [facts, table, ...failing.flatMap(explained)].join('\n');
}

type Layer = ProveDocument['layers'][number];

/** What images reach, beside what all images could. */
const reachedColumns: readonly Column<Layer>[] = [
  {
    title: 'bits reached',
    value: ({ reached }) => (reached === undefined ? '' : String(reached.bits)),
    align: 'right',
  },
  {
    title: 'sums changed',
    value: ({ reached }) => rarePercent(reached?.changedPercent),
    align: 'right',
  },
];

function reachedFacts({
  measured: run,
  layers,
}: ProveDocument): readonly (readonly [string, string])[] {
  if (run === undefined) return [];
  const { images } = run;
  const measured = layers.flatMap(({ reached }) => reached ?? []);
  const changed = measured.filter(({ changedPercent }) => changedPercent > 0).length;
  const bits = Math.max(0, ...measured.map((one) => one.bits));
  const word = images === 1 ? 'image' : 'images';
  return [
    [
      'on images',
      `${images} ${word}: sums reach ${bits} bits; accumulators change sums in ${changed} of ${measured.length} convolutions`,
    ],
  ];
}

function verdict({ ok, pairs, bitsNeeded, bitsHave, overflow }: LayerProof): string {
  if (ok) return '';
  const parts = [
    ...(bitsNeeded > bitsHave ? [describe[overflow ?? 'wrap']] : []),
    ...(pairs?.ok === false ? [`pairs of products saturate (${pairs.min} to ${pairs.max})`] : []),
  ];
  return parts.join(', ');
}

const describe = {
  wrap: 'can wrap',
  saturate: 'can saturate',
  saturateSymmetric: 'can saturate',
  trap: 'can trap',
} as const;

/** A counterexample in two lines; the codes themselves stand in the JSON. */
function explained({ name, counterexample }: LayerProof): string[] {
  if (counterexample === undefined) return [];
  const { channel, value, codes } = counterexample;
  const shown = codes.slice(0, 8).join(' ');
  return [
    `"${shortName(name)}", channel ${channel}: the sum is ${value} for the input codes\n` +
      `  ${shown}${codes.length > 8 ? ` ... (${codes.length}, all in --format json)` : ''}\n`,
  ];
}
