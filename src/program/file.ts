// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../errors.js';
import { Budget } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import { writeFileAtomic } from '../data/index.js';
import { decode } from './decode.js';
import { encode } from './encode.js';
import type { Program } from './program.js';

/**
 * Reads a `.lbp` file.
 *
 * @throws ModelError naming the file, where it cannot be read or is no valid program; LimitError
 */
export function readProgramFile(path: string, budget = new Budget()): Program {
  const bytes = readPlainFile(
    path,
    budget,
    (reason) => new ModelError('unreadable-file', path, `${reason}; check the path`),
  );
  return decodeFile(bytes, path, budget);
}

/** Decodes a file's bytes; errors name the file. */
export function decodeFile(bytes: Uint8Array, path: string, budget: Budget): Program {
  try {
    return decode(bytes, budget);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError(error.code, `${path}, ${error.where}`, error.detail);
  }
}

/**
 * Writes a `.lbp` file, whole or not at all.
 * @throws UsageError `cannot-write`
 */
export function writeProgramFile(path: string, program: Program): void {
  writeFileAtomic(path, encode(program));
}
