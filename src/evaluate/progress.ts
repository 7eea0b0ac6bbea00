// SPDX-License-Identifier: Apache-2.0
// The state of a long evaluation in one small file, replaced as a whole: whatever interrupts the
// run, the file is the state after some image. It says what the outcomes depend on, by content, so that
// a run is continued only where nothing of it has changed.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import type { LoadedSource } from '../data/index.js';
import { lockFolder } from '../data/index.js';
import { writeFileAtomic } from '../data/write-file.js';
import { ModelError, UsageError } from '../errors.js';
import { readTextFile } from '../limits/read-file.js';
import type { ImageOutcome } from './tally.js';

const placement = z.strictObject({
  top: z.int(),
  rank: z.int(),
  tiedAtTop: z.boolean(),
  hitIfTiesCount: z.boolean(),
});

const fact = z.union([z.string(), z.number(), z.null()]);

/** What is kept of an image: in a file, and on its way from a worker. */
export const imageOutcomeSchema = z.strictObject({
  name: z.string(),
  label: z.int(),
  sha256: z.string(),
  quantized: placement,
  float: placement.optional(),
  energy: z.strictObject({ signal: z.number(), noise: z.number() }).optional(),
});

const progressFile = z.strictObject({
  schemaVersion: z.literal(2),
  facts: z.record(z.string(), fact),
  outcomes: z.array(imageOutcomeSchema),
});

/**
 * What decides an outcome besides the image itself, by name: hashes of the model, of the float reference
 * and of the labels, and the choices made. The number of images is no part of it.
 */
export type RunFacts = Readonly<Record<string, string | number | null>>;

export interface Progress {
  /** Outcomes of the first images, in order. */
  readonly done: readonly ImageOutcome[];
  /** Whether outcomes are kept for a later run; they name the image's content then. */
  readonly isKept: boolean;
  /** Saves all outcomes so far. */
  save(outcomes: readonly ImageOutcome[]): void;
  /** Gives the folder free for another process. */
  close(): void;
}

/** For a run that leaves nothing behind. */
export const unsavedProgress: Progress = {
  done: [],
  isKept: false,
  save: () => undefined,
  close: () => undefined,
};

/**
 * Opens the progress of a run in a folder, which no other process may then use.
 * @param facts what the outcomes depend on; progress of another run is not continued
 * @param samples the images: those that are done have to be the same files still
 * @throws UsageError `in-use` while another process works there; `progress-exists` where there is
 *   progress and neither `resume` nor `overwrite`; `progress-differs`, naming all that has changed;
 *   ModelError `bad-progress`
 */
export function openProgress(
  folder: string,
  facts: RunFacts,
  samples: LoadedSource,
  options: { readonly resume: boolean; readonly overwrite: boolean },
): Progress {
  const close = lockFolder(folder);
  const file = join(folder, 'progress.json');
  const save = (outcomes: readonly ImageOutcome[]): void => {
    writeFileAtomic(file, JSON.stringify({ schemaVersion: 2, facts, outcomes }) + '\n');
  };
  try {
    return { done: doneBefore(file, facts, samples, options), isKept: true, save, close };
  } catch (error) {
    close();
    throw error;
  }
}

function doneBefore(
  file: string,
  facts: RunFacts,
  samples: LoadedSource,
  options: { readonly resume: boolean; readonly overwrite: boolean },
): readonly ImageOutcome[] {
  if (options.overwrite || !existsSync(file)) return [];
  if (!options.resume) {
    throw new UsageError(
      'progress-exists',
      file,
      'an earlier run left its progress; add --resume to continue it or --overwrite to begin again',
    );
  }
  const read = readProgress(file);
  const changes = [...changedFacts(read.facts, facts), ...changedImages(read.done, samples)];
  if (changes.length === 0) return read.done;
  throw new UsageError(
    'progress-differs',
    file,
    `it belongs to a run with other inputs (${changes.join('; ')}); choose another --out or add --overwrite`,
  );
}

/** Names of facts that differ, with both values where a reader can tell them apart. */
export function changedFacts(before: RunFacts, now: RunFacts): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names
    .filter((name) => (before[name] ?? null) !== (now[name] ?? null))
    .map((name) => `${name}: ${shown(before[name])}, now ${shown(now[name])}`);
}

function shown(value: string | number | null | undefined): string {
  return value === null || value === undefined ? 'none' : String(value).slice(0, 40);
}

/** At most three images are named; the rest is a number. */
function changedImages(done: readonly ImageOutcome[], { items }: LoadedSource): string[] {
  const changed = done
    .slice(0, items.length)
    .filter(({ name, sha256 }, i) => name !== items[i]!.name || sha256 !== items[i]!.content());
  if (changed.length === 0) return [];
  const names = changed.slice(0, 3).map(({ name }) => name);
  const rest = changed.length > 3 ? ` and ${changed.length - 3} more` : '';
  return [`changed images: ${names.join(', ')}${rest}`];
}

function readProgress(file: string): { facts: RunFacts; done: ImageOutcome[] } {
  try {
    const text = readTextFile(file, (reason) => new ModelError('bad-progress', file, reason));
    const { facts, outcomes } = progressFile.parse(JSON.parse(text));
    return { facts, done: outcomes as ImageOutcome[] };
  } catch {
    throw new ModelError(
      'bad-progress',
      file,
      'it cannot be read (damaged, or of another version of lastbit); add --overwrite to begin again',
    );
  }
}
