// SPDX-License-Identifier: Apache-2.0
// The state of a long evaluation in one small file, replaced as a whole: whatever interrupts the
// run, the file is the state after some image.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import { writeFileAtomic } from '../data/write-file.js';
import { ModelError, UsageError } from '../errors.js';
import type { ImageOutcome } from './tally.js';

const placement = z.strictObject({
  top: z.int(),
  rank: z.int(),
  tiedAtTop: z.boolean(),
  hitIfTiesCount: z.boolean(),
});

const progressFile = z.strictObject({
  schemaVersion: z.literal(1),
  fingerprint: z.string(),
  outcomes: z.array(
    z.strictObject({
      name: z.string(),
      label: z.int(),
      quantized: placement,
      float: placement.optional(),
      energy: z.strictObject({ signal: z.number(), noise: z.number() }).optional(),
    }),
  ),
});

export interface Progress {
  /** Outcomes of the first images, in order. */
  readonly done: readonly ImageOutcome[];
  /** Saves all outcomes so far. */
  save(outcomes: readonly ImageOutcome[]): void;
}

/** For a run that leaves nothing behind. */
export const unsavedProgress: Progress = { done: [], save: () => undefined };

/**
 * Opens the progress of a run in a folder.
 * @param fingerprint identifies model, target, images and preprocessing; progress of another run
 *   is not continued
 * @throws UsageError `progress-exists` where there is progress and neither `resume` nor
 *   `overwrite`; `progress-differs` where it belongs to another run; ModelError `bad-progress`
 */
export function openProgress(
  folder: string,
  fingerprint: string,
  options: { readonly resume: boolean; readonly overwrite: boolean },
): Progress {
  const file = join(folder, 'progress.json');
  const save = (outcomes: readonly ImageOutcome[]): void => {
    writeFileAtomic(file, JSON.stringify({ schemaVersion: 1, fingerprint, outcomes }) + '\n');
  };
  if (options.overwrite || !existsSync(file)) return { done: [], save };
  if (!options.resume) {
    throw new UsageError(
      'progress-exists',
      file,
      'an earlier run left its progress; add --resume to continue it or --overwrite to begin again',
    );
  }
  const read = readProgress(file);
  if (read.fingerprint === fingerprint) return { done: read.done, save };
  throw new UsageError(
    'progress-differs',
    file,
    'it belongs to another model, target, preprocessing or set of images; choose another --out or add --overwrite',
  );
}

function readProgress(file: string): { fingerprint: string; done: ImageOutcome[] } {
  try {
    const { fingerprint, outcomes } = progressFile.parse(JSON.parse(readFileSync(file, 'utf8')));
    return { fingerprint, done: outcomes as ImageOutcome[] };
  } catch {
    throw new ModelError('bad-progress', file, 'it cannot be read; add --overwrite to begin again');
  }
}
