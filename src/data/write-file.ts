// SPDX-License-Identifier: Apache-2.0
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { UsageError } from '../errors.js';
import { makeFolder } from './make-folder.js';

/**
 * Writes a file as a whole or not at all: into a hidden neighbour first, which is then renamed.
 * Missing folders are made.
 * @throws UsageError `cannot-write`
 */
export function writeFileAtomic(file: string, content: Uint8Array | string): void {
  const neighbour = join(dirname(file), `.${basename(file)}.${process.pid}.part`);
  try {
    makeFolder(dirname(file));
    writeFileSync(neighbour, content);
    renameSync(neighbour, file);
  } catch (error) {
    if (existsSync(neighbour)) rmSync(neighbour);
    throw new UsageError('cannot-write', file, reasonOf(error));
  }
}

/**
 * Refuses to replace what is there, before the work that would make it.
 * @throws UsageError `file-exists`
 */
export function requireFree(file: string, overwrite: boolean): void {
  if (overwrite || !existsSync(file)) return;
  throw new UsageError(
    'file-exists',
    file,
    'it is already there; choose another name or add --overwrite',
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error);
}
