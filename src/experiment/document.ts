// SPDX-License-Identifier: Apache-2.0
// The form of every experiment: claims of a paper, each with a measurement, its statistic and a verdict,
// and the tables that they rest on.

export type Verdict = 'shown' | 'refuted' | 'undecided';

/** One claim of a paper, tested here. */
export interface Claim {
  /** Kebab-case and stable, for scripts. */
  readonly id: string;
  /** What the paper says, in our words. */
  readonly statement: string;
  /** What was measured. */
  readonly measurement: string;
  readonly unit: string;
  /** Null where there was nothing to measure. */
  readonly value: number | null;
  /** 95 % interval of the value; null where one number stands alone. */
  readonly ci95: readonly [number, number] | null;
  /** How the interval was found, and over what. */
  readonly statistic: string;
  readonly verdict: Verdict;
  /** Why, where the numbers alone do not say it. */
  readonly reason: string;
}

type Cell = string | number | null;

/** Rows under column names, units in the names. */
export interface ExperimentTable {
  /** Kebab-case; the name of its .csv. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** One row as an object; absent fields are null in the table. */
export type TableRow = Readonly<Record<string, Cell | undefined>>;

/** A table whose columns are the fields of its rows, in the order of their first appearance. */
export function tableOf(name: string, title: string, rows: readonly TableRow[]): ExperimentTable {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return {
    ...{ name, title, columns },
    rows: rows.map((row) => columns.map((column) => row[column] ?? null)),
  };
}

/** RFC 4180; numbers as JavaScript prints them, which reads back to the same number. */
export function csvOf({ columns, rows }: ExperimentTable): string {
  const field = (cell: Cell): string => {
    const text = cell === null ? '' : String(cell);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}
