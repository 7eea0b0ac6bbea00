// SPDX-License-Identifier: Apache-2.0
import type { Claim, ExperimentTable } from '../experiment/index.js';
import type { ExperimentDocument } from './documents.js';
import { factList, textTable } from './text-table.js';

/** Longer tables are for the .csv and the JSON. */
const shownRows = 24;

export function experimentText(document: ExperimentDocument): string {
  const { paper, nets, images, claims, tables, notes, seconds } = document;
  const facts = factList([
    ['paper', paper],
    ['nets', nets.map(({ name }) => name).join(', ')],
    ['images', `${images} for each net, in exact integers`],
    ['time', `${seconds.toFixed(1)} s`],
    ...notes.map((note) => ['note', note] as const),
  ]);
  const short = tables.filter(({ rows }) => rows.length <= shownRows);
  const left = tables.filter(({ rows }) => rows.length > shownRows);
  const rest = left.map(({ name, rows }) => `${name} (${rows.length} rows)`).join(', ');
  return [
    facts,
    claims.map(claimText).join('\n'),
    ...short.map(tableText),
    ...(rest === '' ? [] : [`more in --format json and --out DIR: ${rest}\n`]),
  ].join('\n');
}

function claimText({ verdict, statement, measurement, value, ci95, unit, reason }: Claim): string {
  const number = value === null ? 'not measured' : `${figure(value)}${interval(ci95)} ${unit}`;
  const why = reason === '' ? '' : ` (${reason})`;
  return `${verdict.padEnd(9)}  ${statement}\n           ${measurement}: ${number}${why}\n`;
}

function interval(ci95: Claim['ci95']): string {
  return ci95 === null ? '' : ` [${figure(ci95[0])}, ${figure(ci95[1])}]`;
}

function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function tableText({ title, columns, rows }: ExperimentTable): string {
  const isNumber = columns.map((_, i) => rows.some((row) => typeof row[i] === 'number'));
  const cell = (value: string | number | null | undefined): string =>
    value === null || value === undefined
      ? ''
      : typeof value === 'number'
        ? String(Number(value.toPrecision(4)))
        : value;
  const table = textTable(
    rows,
    columns.map((column, i) => ({
      title: column,
      value: (row: ExperimentTable['rows'][number]) => cell(row[i]),
      ...(isNumber[i] ? { align: 'right' as const } : {}),
    })),
  );
  return `${title}\n${table}`;
}
