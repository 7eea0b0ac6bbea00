// SPDX-License-Identifier: Apache-2.0

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Numbers stand to the right. */
  readonly align?: 'right';
}

/** Rows under titles, columns two spaces apart; every line ends with a newline. */
export function textTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ value }) => value(row))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells
    .map((line) => line.map((cell, i) => pad(cell, widths[i]!, columns[i]!.align)).join('  '))
    .map((line) => line.trimEnd() + '\n')
    .join('');
}

/** Names before values, aligned; undefined values are left out. */
export function factList(facts: readonly (readonly [string, string | undefined])[]): string {
  const known = facts.filter(([, value]) => value !== undefined);
  const width = Math.max(...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${name.padEnd(width)}  ${value!}\n`).join('');
}

function pad(cell: string, width: number, align: 'right' | undefined): string {
  return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
}

/** A layer's name in a table. Converters join those of fused nodes by semicolons; the first says enough. */
export function shortName(name: string): string {
  const [first = ''] = name.split(';');
  return first.length <= 50 ? first : `...${first.slice(-47)}`;
}

/** Percent with two decimals; what is rare is not rounded to nothing. */
export function rarePercent(value: number | undefined): string {
  if (value === undefined) return '';
  return value > 0 && value < 0.005 ? '<0.01 %' : `${value.toFixed(2)} %`;
}
