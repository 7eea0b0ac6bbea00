// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../errors.js';

export interface CsvRow {
  /** Counted from 1, as editors do. */
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * Splits comma-separated text after RFC 4180: quotes around fields, doubled quotes inside them,
 * LF or CRLF. Empty lines are skipped.
 * @throws ModelError `bad-csv` for a quote that is never closed
 */
export function parseCsv(text: string, where: string): CsvRow[] {
  const rows: CsvRow[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  let line = 1;
  let fields: string[] = [];
  const body = text.replace(/^\uFEFF/, '');
  while (field.lastIndex < body.length || fields.length > 0) {
    const at = line;
    const match = field.exec(body);
    if (!match) throw new ModelError('bad-csv', `${where}:${at}`, 'a quoted field is not closed');
    fields.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
    line += match[0].split('\n').length - 1;
    if (match[3] === ',') continue;
    if (fields.length > 1 || fields[0] !== '') rows.push({ line: at, fields });
    fields = [];
  }
  return rows;
}
