// SPDX-License-Identifier: Apache-2.0
import { schemaVersion } from './documents.js';

/**
 * A document as JSON text. Numbers that JSON lacks (an SQNR without any noise is infinite) become
 * null; absent fields stay absent.
 */
export function toJson(document: object): string {
  return JSON.stringify({ schemaVersion, ...document }, finiteOrNull, 2) + '\n';
}

function finiteOrNull(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  return typeof value === 'bigint' ? value.toString() : value;
}
