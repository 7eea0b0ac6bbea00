// SPDX-License-Identifier: Apache-2.0

import { UsageError } from '../errors.js';
import { readTextFile } from '../limits/read-file.js';
import type { Program } from '../program/program.js';
import { allTargets, findTarget } from '../targets/index.js';
import type { Evidence, TargetSpec } from '../targets/target.js';
import { parseUserTarget } from '../targets/user-target.js';

/**
 * A profile by its id or alias, or a user's own from a file whose name ends in `.json`.
 * @throws UsageError `unknown-target`, `no-such-file`, `bad-target`
 */
export function resolveTarget(nameOrFile: string): TargetSpec {
  if (!/\.json$/i.test(nameOrFile)) return findTarget(nameOrFile);
  return parseUserTarget(readText(nameOrFile), nameOrFile);
}

/**
 * How well the profile of this id is known; a user's own, and any other, is unverified.
 * @param metadata of the program: `lastbit.unlike` says why its codes may not be the runtime's
 */
export function evidenceOf(id: string, metadata: Program['metadata'] = {}): Evidence {
  if (metadata['lastbit.unlike'] !== undefined) return 'unverified';
  return allTargets.find((target) => target.id === id)?.evidence ?? 'unverified';
}

function readText(file: string): string {
  return readTextFile(
    file,
    (reason) =>
      new UsageError(
        'no-such-file',
        file,
        `the target file cannot be read: ${reason}; give a profile of \`lastbit targets\` or an existing .json file`,
      ),
  );
}
