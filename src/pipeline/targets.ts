// SPDX-License-Identifier: Apache-2.0
import type { EvidenceDocument, TargetFacts, TargetsDocument } from '../report/index.js';
import { acceptedTolerances } from '../targets/evidence-row.js';
import { evidenceRows } from '../targets/evidence.js';
import { allTargets } from '../targets/index.js';
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
