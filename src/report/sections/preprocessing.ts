// SPDX-License-Identifier: Apache-2.0
import type { Network, Result } from '../read/index.js';
import { commandOf } from '../read/index.js';
import { missing, words } from './cells.js';
import type { Block, Cell, Section } from './section.js';

type Facts = Extract<Result['document'], { preprocess?: unknown }>;

/** How images became inputs, in each result that says so. */
export function preprocessingSection(network: Network): Section | undefined {
  const stated = network.results.flatMap(({ kind, file, document }) =>
    'preprocess' in document && document.preprocess != null ? [{ kind, file, document }] : [],
  );
  if (stated.length === 0) return undefined;
  const presets = new Set(stated.map(({ document }) => document.preprocess));
  const differ: Block = {
    kind: 'text',
    text: `These results used ${presets.size} different presets: their figures cannot be compared.`,
    tone: 'bad',
  };
  const table = {
    id: `${network.id}-preprocessing-table`,
    caption: 'How images became inputs',
    interactive: false,
    columns: ['result', 'command', 'preset', 'decided by', 'geometry', 'applied'].map((title) => ({
      title,
    })),
    rows: stated.map(({ kind, file, document }) => [
      words(file),
      words(commandOf(kind)),
      ...cells(document),
    ]),
  };
  return {
    id: `${network.id}-preprocessing`,
    title: 'Preprocessing',
    blocks: [...(presets.size > 1 ? [differ] : []), { kind: 'table', table }],
  };
}

function cells(document: Facts): readonly Cell[] {
  const { preprocess, preprocessDecidedBy, geometry, geometryApplied } = document;
  const applied = Object.entries(geometryApplied ?? {}).map(([how, n]) => `${how} (${n} images)`);
  return [
    words(preprocess),
    words(preprocessDecidedBy),
    words(geometry),
    applied.length === 0 ? missing : words(applied.join('; ')),
  ];
}
