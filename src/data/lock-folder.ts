// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { UsageError } from '../errors.js';
import { makeFolder } from './make-folder.js';
import { holdTemporary } from './temporaries.js';

/**
 * Keeps a second process away from a folder whose files the first one replaces. The lock is a file that
 * only one process can create and that says which; one left by a process that is gone is taken over.
 *
 * @returns what gives the folder free again
 * @throws UsageError `in-use` while the other process lives; `cannot-write`
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, '.lock');
  if (!createLock(file)) {
    const owner = ownerOf(file);
    if (owner !== undefined && isAlive(owner)) {
      throw new UsageError(
        'in-use',
        folder,
        `process ${owner} works in this folder; wait for it, or choose another --out (if no such process of lastbit runs, remove ${file})`,
      );
    }
    rmSync(file, { force: true });
    if (!createLock(file)) {
      throw new UsageError('in-use', folder, 'another process began to work in it just now');
    }
  }
  const release = holdTemporary(file);
  return () => {
    rmSync(file, { force: true });
    release();
  };
}

/** False where the file is there. */
function createLock(file: string): boolean {
  try {
    makeFolder(dirname(file));
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && existsSync(file)) return false;
    throw new UsageError('cannot-write', file, message);
  }
}

/** The process that a lock names; none where it was cut off while it was written. */
function ownerOf(file: string): number | undefined {
  try {
    const owner = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(owner) && owner > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0); // signal 0 asks only
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // somebody else's
  }
}
