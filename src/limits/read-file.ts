// SPDX-License-Identifier: Apache-2.0
// The one way in which files that a user names are opened. A name may lead to a pipe that nobody writes, a
// device without end or a file of holes: all are told apart before a byte is read, and nothing is waited for.
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';

import type { LastbitError } from '../errors.js';
import { LimitError } from '../errors.js';
import type { Budget } from './budget.js';

/** Makes the error of one kind of file from what is wrong with it, a clause: `there is no such file`. */
export type Refusal = (reason: string) => LastbitError;

/** Settings, labels and lists of names are never larger (bytes). */
const maxTextBytes = 64 * 2 ** 20;

/**
 * Reads a plain file as a whole; links to one are followed, as its user named it.
 * @param budget pays for its bytes, before they are read
 * @throws what `refuse` makes; LimitError `too-much-memory`
 */
export function readPlainFile(file: string, budget: Budget, refuse: Refusal): Buffer {
  return withPlainFile(file, refuse, (descriptor, size) => {
    budget.takeMemory(size, file, `reading its ${size} bytes`);
    return readAll(descriptor, size);
  });
}

/**
 * Reads a file of text in UTF-8.
 * @throws what `refuse` makes; LimitError `file-too-large`
 */
export function readTextFile(file: string, refuse: Refusal): string {
  return withPlainFile(file, refuse, (descriptor, size) => {
    if (size <= maxTextBytes) return readAll(descriptor, size).toString('utf8');
    throw new LimitError(
      'file-too-large',
      file,
      `it has ${size} bytes, such a file has ${maxTextBytes} at most; is it the right one?`,
    );
  });
}

/** What a name leads to; undefined where that cannot be found out. */
export function kindOf(path: string): 'file' | 'folder' | 'other' | undefined {
  try {
    const found = statSync(path);
    if (found.isDirectory()) return 'folder';
    return found.isFile() ? 'file' : 'other';
  } catch {
    return undefined;
  }
}

function withPlainFile<Result>(
  file: string,
  refuse: Refusal,
  read: (descriptor: number, size: number) => Result,
): Result {
  const descriptor = open(file, refuse);
  try {
    const found = fstatSync(descriptor);
    if (found.isDirectory()) throw refuse('expected a file, got a folder');
    if (!found.isFile()) throw refuse('expected a plain file, got a pipe or a device');
    return read(descriptor, found.size);
  } catch (error) {
    // Only errors of the system have a number.
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    throw refuse(`it cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  } finally {
    closeSync(descriptor);
  }
}

function open(file: string, refuse: Refusal): number {
  // Without O_NONBLOCK a pipe is waited for until somebody writes into it. Windows has neither flag.
  const flag = (name: 'O_NONBLOCK' | 'O_NOCTTY'): number =>
    (constants as Partial<typeof constants>)[name] ?? 0;
  try {
    return openSync(file, constants.O_RDONLY | flag('O_NONBLOCK') | flag('O_NOCTTY'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code ?? ''})`);
  }
}

/** All bytes that the file had when it was opened, fewer where it was cut meanwhile. */
function readAll(descriptor: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let done = 0;
  while (done < size) {
    const got = readSync(descriptor, bytes, done, Math.min(size - done, 2 ** 30), done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}
