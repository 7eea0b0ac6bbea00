// SPDX-License-Identifier: Apache-2.0
import { basename } from 'node:path';

import { requireFree, writeFileAtomic } from '../data/index.js';
import { UsageError } from '../errors.js';
import type {
  EvidenceDocument,
  TargetFacts,
  TargetInitDocument,
  TargetsDocument,
} from '../report/index.js';
import { acceptedTolerances } from '../targets/evidence-row.js';
import { evidenceRows } from '../targets/evidence.js';
import { allTargets, findTarget } from '../targets/index.js';
import { startingPoint } from '../targets/starting-point.js';
import { targetJsonSchema } from '../targets/user-target.js';
import { resolveTarget } from './target-choice.js';

/**
 * All profiles, or the one asked for.
 * @throws UsageError `unknown-target`
 */
export function listTargets(
  options: { readonly target?: string | undefined } = {},
): TargetsDocument {
  const targets: readonly TargetFacts[] =
    options.target === undefined ? allTargets : [resolveTarget(options.target)];
  const distinct = new Set(targets.map(({ arithmetic }) => JSON.stringify(arithmetic)));
  return { targets, arithmetics: distinct.size };
}

/**
 * Which runtimes were really executed beside the profiles, from the committed results of the oracles.
 * @throws UsageError `unknown-target`
 */
export function targetEvidence(
  options: { readonly target?: string | undefined } = {},
): EvidenceDocument {
  const { target } = options;
  const id = target === undefined ? undefined : resolveTarget(target).id;
  const rows = evidenceRows.filter(({ profile }) => id === undefined || profile === id);
  const total = (of: 'values' | 'differing') => rows.reduce((sum, row) => sum + row[of], 0);
  return {
    rows,
    runtimes: new Set(rows.map(({ version }) => version)).size,
    values: total('values'),
    differing: total('differing'),
    accepted: acceptedTolerances,
  };
}

/**
 * Writes a file to begin a target of one's own with, a whole copy of a built-in profile with words to each
 * part, and beside it the JSON Schema that editors complete and check it by.
 * @param options.file `npu.json` for a target `npu@1`
 * @param options.target the profile to begin with; default pow2
 * @throws UsageError `bad-value`, `unknown-target`, `file-exists`, `cannot-write`
 */
export function initTarget(options: {
  readonly file: string;
  readonly target?: string | undefined;
  readonly overwrite?: boolean | undefined;
}): TargetInitDocument {
  const { file, target = 'pow2', overwrite = false } = options;
  const name = /^([a-z0-9]+(?:-[a-z0-9]+)*)\.json$/.exec(basename(file))?.[1];
  if (name === undefined) {
    throw new UsageError('bad-value', '--init', `expected a file such as npu.json, got "${file}"`);
  }
  const schema = file.replace(/\.json$/, '.schema.json');
  const base = findTarget(target);
  for (const output of [file, schema]) requireFree(output, overwrite);
  const id = `${name}@1`;
  writeFileAtomic(schema, jsonText(targetJsonSchema()));
  writeFileAtomic(file, jsonText(startingPoint(base, id, `./${basename(schema)}`)));
  return { output: file, schema, target: id, from: base.id };
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
