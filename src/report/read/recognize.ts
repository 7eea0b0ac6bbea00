// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { ModelError } from '../../errors.js';
import { schemaVersion } from '../documents.js';
import { type ResultDocument, type ResultKind, schemas } from './schemas.js';

/** One document and the file that it came from. */
export interface Result<Kind extends ResultKind = ResultKind> {
  readonly kind: Kind;
  readonly file: string;
  readonly document: ResultDocument<Kind>;
}

/** Fields that only documents of a kind have, for those that do not name theirs. */
const marks: Readonly<Record<ResultKind, readonly string[]>> = {
  analyze: ['seenBy', 'findings', 'kinds'],
  quantize: ['method', 'steps', 'output'],
  evaluate: ['top1Ci95', 'tiesAtTopPercent'],
  compare: ['top1Agreement', 'output', 'layers'],
  diff: ['firsts', 'refused', 'targets'],
  'compare-dump': ['unmatched', 'missing', 'layers'],
  prove: ['ok', 'layers', 'model'],
  bench: ['p50Ms', 'peers', 'exact'],
  golden: ['out', 'manifest', 'arrays'],
  manifest: ['tool', 'program', 'layers'],
  verify: ['manifest', 'ok', 'differing'],
  experiment: ['experiment', 'claims', 'tables'],
};

const kinds = Object.keys(schemas) as readonly ResultKind[];

/**
 * A document from its text.
 * @param file for messages
 * @throws ModelError `bad-document` (no JSON, or a field is not as it should be), `document-version`,
 *   `unknown-document`
 */
export function recognize(text: string, file: string): Result {
  const json = parseObject(text, file);
  requireVersion(json, file);
  const kind = kindOf(json, file);
  const parsed = schemas[kind].safeParse(json);
  if (parsed.success) return { kind, file, document: parsed.data };
  const [issue] = parsed.error.issues;
  const place = issue!.path.join('.') || 'the document';
  throw damaged(file, `a document of ${commandOf(kind)}, but ${place}: ${issue!.message}`);
}

/** Whether a result is of a kind; narrows its type. */
export function isKind<Kind extends ResultKind>(
  result: Result,
  kind: Kind,
): result is Result<Kind> {
  return result.kind === kind;
}

/** The command that writes documents of a kind. */
export function commandOf(kind: ResultKind): string {
  return kind === 'manifest' ? 'golden' : kind;
}

function parseObject(text: string, file: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw damaged(file, `a document, but it is no JSON (${(error as Error).message})`);
  }
  const object = z.record(z.string(), z.unknown()).safeParse(json);
  if (object.success) return object.data;
  throw damaged(file, 'a document, but it is no JSON object');
}

function requireVersion(json: Readonly<Record<string, unknown>>, file: string): void {
  const version = json.schemaVersion;
  if (version === schemaVersion) return;
  if (version === undefined) throw unknown(file, 'it has no schemaVersion');
  throw new ModelError(
    'document-version',
    file,
    `expected schemaVersion ${schemaVersion}, got ${JSON.stringify(version)}: another lastbit wrote it; use the report of that one, or run its command again`,
  );
}

function kindOf(json: Readonly<Record<string, unknown>>, file: string): ResultKind {
  const named = kinds.find((kind) => kind === json.kind);
  if (named !== undefined) return named;
  if (typeof json.kind === 'string') {
    throw unknown(file, `one of "${json.kind}" has nothing that the page shows`);
  }
  const fitting = kinds.find((kind) => marks[kind].every((field) => Object.hasOwn(json, field)));
  if (fitting !== undefined) return fitting;
  throw unknown(file, 'its fields are those of none');
}

function unknown(file: string, reason: string): ModelError {
  return new ModelError(
    'unknown-document',
    file,
    `expected what --format json of ${kinds.filter((kind) => kind !== 'manifest').join(', ')} prints, or a manifest of golden vectors; ${reason}`,
  );
}

function damaged(file: string, what: string): ModelError {
  return new ModelError(
    'bad-document',
    file,
    `expected ${what}; write it again with --format json, standard output alone`,
  );
}
