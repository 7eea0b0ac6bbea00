// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { ModelError } from '../errors.js';
import { decode } from './decode.js';
import { encode } from './encode.js';
import type { Program } from './program.js';

/**
 * Reads a `.lbp` file.
 *
 * @throws ModelError naming the file, where it cannot be read or is no valid program
 */
export async function readProgramFile(path: string): Promise<Program> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new ModelError('unreadable-file', path, `${(error as Error).message}; check the path`);
  }
  try {
    return decode(bytes);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError(error.code, `${path}, ${error.where}`, error.detail);
  }
}

/** Writes a `.lbp` file, whole or not at all: under another name first, then renamed. */
export async function writeProgramFile(path: string, program: Program): Promise<void> {
  const partial = `${path}.${randomBytes(6).toString('hex')}.partial`;
  try {
    await writeFile(partial, encode(program));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
