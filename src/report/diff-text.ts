// SPDX-License-Identifier: Apache-2.0
// Comparisons of targets for people. Nothing is computed here; figures are only formatted.
import type {
  DumpExplanation,
  CompareDumpDocument,
  DiffDocument,
  DiffLayer,
  FirstDifference,
} from './documents.js';
import { factList, shortName, textTable } from './text-table.js';

export function diffText(document: DiffDocument): string {
  const { targets, evidence, refused, firsts, layers } = document;
  const facts = factList([
    ['model', document.model],
    ...targets.map(
      (id, i) => [i === 0 ? 'reference' : 'target', `${id} (${evidence[id] ?? ''})`] as const,
    ),
    ...refused.map(({ target, reason }) => ['cannot', `${target}: ${shortNames(reason)}`] as const),
    ['images', String(document.images)],
    ['time', `${document.seconds.toFixed(2)} s`],
    ...document.notes.map((note) => ['note', note] as const),
  ]);
  const parts = firsts.map(({ target, first }) => {
    if (first === null) return `\n${target} equals ${targets[0]!} in every layer\n`;
    return `\n${target} parts from ${targets[0]!}:\n${firstText(first)}`;
  });
  // Of several targets the document has the layers; a page of them would hide the answer.
  const table = firsts.length === 1 ? layerTable(layers) : '';
  return facts + parts.join('') + (table === '' ? '' : `\n${table}`);
}

export function compareDumpText(document: CompareDumpDocument): string {
  const { first, layers, trap } = document;
  const facts = factList([
    ['target', `${document.target} (${document.evidence})`],
    ['input', document.input],
    [
      'first difference',
      first
        ? `${shortName(first.name)} (${first.op}): ${first.differing} of ${first.elements} codes, at most ${first.maxLsb} LSB`
        : `none: ${layers.length} dumps equal the target`,
    ],
    ...(first?.positions ?? []).map(
      ({ y, x, channel, expected, got }) =>
        ['  at', `y ${y}, x ${x}, channel ${channel}: expected ${expected}, got ${got}`] as const,
    ),
    ...(first?.hints ?? []).map((hint) => ['  hint', hint] as const),
    ...explanationFacts(first?.explanation, first?.differing ?? 0),
    ['trap', trap && `"${trap.layer}", output element ${trap.element}: ${trap.value}`],
    ...document.unmatched.map((file) => ['no layer for', file] as const),
    [
      'no dump of',
      document.missing.length === 0
        ? undefined
        : `${document.missing.length} layers: ${document.missing.map(shortName).join(', ')}`,
    ],
  ]);
  const table = textTable(layers, [
    { title: 'layer', value: ({ name }) => shortName(name) },
    { title: 'file', value: ({ file }) => shortName(file) },
    { title: 'read as', value: (layer) => `${layer.dtype} ${layer.read}, ${layer.layout}` },
    { title: 'layout from', value: ({ layoutFrom }) => layoutFrom },
    { title: 'differing', value: ({ differing }) => String(differing), align: 'right' },
    { title: 'of', value: ({ elements }) => String(elements), align: 'right' },
    { title: 'LSB', value: ({ maxLsb }) => String(maxLsb), align: 'right' },
    { title: 'hints', value: ({ hints }) => hints.join('; ') },
  ]);
  return `${facts}\n${table}`;
}

/** What the target computes at the first code that differs, and the mistakes that would make the dump. */
function explanationFacts(
  explanation: DumpExplanation | undefined,
  differing: number,
): readonly (readonly [string, string])[] {
  if (explanation === undefined) return [];
  const { accumulator, multiplier, shift, requantization, faults } = explanation;
  const parts = [
    `sum ${accumulator}`,
    ...(multiplier === undefined ? [] : [`multiplier ${multiplier}`]),
    ...(shift === undefined ? [] : [`shift ${shift}`]),
  ];
  const named = faults.map(({ name, unexplained }) => {
    const rest =
      unexplained === 0 ? 'explains every code' : `leaves ${unexplained} of ${differing}`;
    return ['  the dump', `${name}: ${rest}`] as const;
  });
  const unknown = ['  the dump', 'no usual mistake explains it'] as const;
  return [
    ['  there', `${parts.join(', ')}; ${requantization}`],
    ...(named.length > 0 ? named : [unknown]),
  ];
}

function firstText(first: FirstDifference): string {
  const { trap } = first;
  return factList([
    ['  first layer', `${shortName(first.layer)} (${first.op})`],
    ['  differing', `${first.differing} of ${first.elements} codes, at most ${first.maxLsb} LSB`],
    [
      '  cause',
      first.alone ? `${first.cause}, which alone explains it` : `${first.cause}, in combination`,
    ],
    ...first.steps.map(
      ({ ingredient, detail, changed }) =>
        ['  exchanged', `${ingredient} (${detail}): ${changed} codes change`] as const,
    ),
    ['  trap', trap && `"${trap.layer}", output element ${trap.element}: ${trap.value}`],
  ]);
}

/** Layers that differ; equal ones are only counted. */
function layerTable(layers: readonly DiffLayer[]): string {
  const rows = layers.flatMap(({ name, op, others }) =>
    others
      .filter(({ isolated, accumulated }) => isolated.differing + accumulated.differing > 0)
      .map((other) => ({ name, op, ...other })),
  );
  if (rows.length === 0) return '';
  const equal = layers.filter(({ others }) =>
    others.every(({ isolated, accumulated }) => isolated.differing + accumulated.differing === 0),
  ).length;
  const table = textTable(rows, [
    { title: 'layer', value: ({ name }) => shortName(name) },
    { title: 'op', value: ({ op }) => op },
    { title: 'alone', value: ({ isolated }) => String(isolated.differing), align: 'right' },
    { title: 'LSB', value: ({ isolated }) => String(isolated.maxLsb), align: 'right' },
    {
      title: 'in the net',
      value: ({ accumulated }) => String(accumulated.differing),
      align: 'right',
    },
    { title: 'LSB', value: ({ accumulated }) => String(accumulated.maxLsb), align: 'right' },
    {
      title: 'of',
      value: ({ accumulated, isolated }) => String(accumulated.elements || isolated.elements),
      align: 'right',
    },
    { title: 'cause, alone', value: ({ cause }) => cause?.text ?? '' },
  ]);
  return `${table}${equal} of ${layers.length} layers (the input among them) are equal\n`;
}

/** The first of the names that converters joined by semicolons. */
function shortNames(reason: string): string {
  return reason.replace(/"([^";]+);[^"]*"/g, '"$1"');
}
