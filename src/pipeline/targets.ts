// SPDX-License-Identifier: Apache-2.0
import type { TargetFacts, TargetsDocument } from '../report/index.js';
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
