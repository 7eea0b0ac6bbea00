// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { UsageError } from '../errors.js';
import { makeFolder } from './make-folder.js';

/**
 * Writes a file as a whole or not at all: into a hidden neighbour first, whose content has reached the
 * disk before it is renamed. Missing folders are made. A link of that name is replaced, not followed.
 * @param many one of thousands that a manifest lists with their hashes: the disk is not waited for, which
 *   takes some 10 ms for each
 * @throws UsageError `cannot-write`
 */
export function writeFileAtomic(
  file: string,
  content: Uint8Array | string,
  { many = false }: { readonly many?: boolean } = {},
): void {
  const neighbour = hiddenNeighbour(file);
  try {
    makeFolder(dirname(file));
    writeNew(neighbour, content, !many);
    renameSync(neighbour, file);
  } catch (error) {
    if (existsSync(neighbour)) rmSync(neighbour);
    throw new UsageError('cannot-write', file, reasonOf(error));
  }
}

/** A name beside `path` that nobody can guess, and short, whatever that one's length. */
export function hiddenNeighbour(path: string): string {
  return join(dirname(path), `.${randomBytes(8).toString('hex')}.part`);
}

/** Only where nothing is, not even a link (O_EXCL). */
function writeNew(file: string, content: Uint8Array | string, durable: boolean): void {
  const descriptor = openSync(file, 'wx');
  try {
    writeFileSync(descriptor, content);
    if (durable) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
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
