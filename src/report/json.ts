// SPDX-License-Identifier: Apache-2.0
import { schemaVersion } from './documents.js';

/** Where a document comes from, so that another program can tell and repeat it. */
export interface Origin {
  /** The command that makes such documents. */
  readonly kind?: string;
  /** Of lastbit. */
  readonly version?: string;
  /** The resolved options of the command, as in a config file. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/**
 * A document as JSON text, its origin first. Numbers that JSON lacks (an SQNR without any noise is
 * infinite) become null; absent fields stay absent.
 */
export function toJson(document: object, { kind, version, options }: Origin = {}): string {
  const origin = { schemaVersion, kind, version, options };
  return JSON.stringify({ ...origin, ...document }, finiteOrNull, 2) + '\n';
}

function finiteOrNull(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  return typeof value === 'bigint' ? value.toString() : value;
}
