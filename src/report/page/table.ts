// SPDX-License-Identifier: Apache-2.0
import type { Cell, Table } from '../sections/index.js';
import { attributesOf, classesOf, contentOf } from './cell.js';
import { type Html, markup } from './markup.js';

/** A column and what its place says of it. */
interface Place {
  readonly column: Table['columns'][number];
  readonly index: number;
  /** Its cells name their rows. */
  readonly names: boolean;
  /** The first of a group. */
  readonly starts: boolean;
}

/** Rows from which a table scrolls within itself. */
const tallRows = 14;

export function tableHtml(table: Table): Html {
  const { id, caption, rows, interactive } = table;
  const places = placesOf(table);
  const body = rows.map(
    (row) => markup`<tr>${row.map((cell, i) => cellHtml(cell, places[i]!))}</tr>`,
  );
  const heads = places.map((place) => headHtml(place, interactive));
  const tall = rows.length > tallRows ? 'scroll tall' : 'scroll';
  return markup`${interactive ? tools(table) : undefined}
<div class="${tall}" tabindex="0" role="group" aria-label="${caption}">
<table id="${id}"><caption>${caption}</caption><thead>${groupRow(table)}<tr>${heads}</tr></thead>
<tbody>${body}</tbody></table></div>`;
}

function placesOf({ columns }: Table): readonly Place[] {
  const naming = columns.findIndex(({ title }) => title !== '#');
  return columns.map((column, index) => ({
    ...{ column, index },
    names: index === naming,
    starts: column.group !== undefined && column.group !== columns[index - 1]?.group,
  }));
}

function tools({ id, caption, rows }: Table): Html {
  const input = markup`<input type="search" data-table="${id}" aria-label="Filter: ${caption}" placeholder="name, kind, ...">`;
  return markup`<div class="tools"><label>Filter ${input}</label><output id="${id}-count">${rows.length} rows</output></div>`;
}

/** The names of results over their columns. */
function groupRow({ columns }: Table): Html | undefined {
  if (columns.every(({ group }) => group === undefined)) return undefined;
  const runs: { group: string | undefined; count: number }[] = [];
  for (const { group } of columns) {
    const last = runs.at(-1);
    if (last !== undefined && last.group === group) last.count++;
    else runs.push({ group, count: 1 });
  }
  const cells = runs.map(({ group, count }) =>
    group === undefined
      ? markup`<td colspan="${count}"></td>`
      : markup`<th colspan="${count}" scope="colgroup">${group}</th>`,
  );
  return markup`<tr class="groups">${cells}</tr>`;
}

function headHtml({ column, index, starts }: Place, interactive: boolean): Html {
  const classes = classesOf(classNames(column.align, starts));
  const name = interactive
    ? markup`<button type="button" data-column="${index}">${column.title}</button>`
    : markup`${column.title}`;
  return markup`<th scope="col"${classes}>${name}</th>`;
}

function cellHtml(cell: Cell, { column, names, starts }: Place): Html {
  const attributes = attributesOf(cell, classNames(column.align, starts));
  const content = contentOf(cell);
  return names
    ? markup`<th scope="row"${attributes}>${content}</th>`
    : markup`<td${attributes}>${content}</td>`;
}

function classNames(align: 'right' | undefined, starts: boolean): readonly string[] {
  return [...(align === 'right' ? ['right'] : []), ...(starts ? ['starts'] : [])];
}
