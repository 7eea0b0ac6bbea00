// SPDX-License-Identifier: Apache-2.0
// Figures as cells. A figure that a document lacks is said to be missing; none is made up.
import { shortName } from '../text-table.js';
import type { Cell, Tone } from './section.js';

/** `null` is a number that JSON cannot hold: infinite. */
type Figure = number | null | undefined;

export const missing: Cell = { text: 'not stated', missing: true };

export function words(text: string | null | undefined, tone?: Tone): Cell {
  if (text === undefined || text === null || text === '') return missing;
  return { text, ...(tone === undefined ? {} : { tone }) };
}

export function whole(value: Figure): Cell {
  return numeric(value, (known) => known.toLocaleString('en-US'));
}

export function fixed(value: Figure, digits: number, unit = ''): Cell {
  return numeric(value, (known) => `${known.toFixed(digits)}${unit}`);
}

export function significant(value: Figure, digits = 3): Cell {
  return numeric(value, (known) => String(Number(known.toPrecision(digits))));
}

export function percent(value: Figure): Cell {
  return fixed(value, 2, ' %');
}

/** With its sign. */
export function points(value: Figure): Cell {
  return numeric(value, (known) => `${known > 0 ? '+' : ''}${known.toFixed(2)}`);
}

/** An SQNR: null is that of no error at all. */
export function decibels(value: Figure): Cell {
  if (value === null) return { text: 'exact', sort: Infinity };
  return fixed(value, 1);
}

/** A layer by its short name, with the way to its card. */
export function layerCell(name: string, href: string | undefined): Cell {
  return { text: shortName(name), title: name, ...(href === undefined ? {} : { href }) };
}

function numeric(value: Figure, text: (known: number) => string): Cell {
  if (value === undefined) return missing;
  return value === null ? { text: 'infinite', sort: Infinity } : { text: text(value), sort: value };
}
