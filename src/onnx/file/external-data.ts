// SPDX-License-Identifier: Apache-2.0
// Tensors whose elements lie in a file beside the model. A model comes from anywhere, so what it
// names is checked before a byte is read: inside the model's folder, no link on the way, a plain
// file, and exactly the bytes that the tensor needs.
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute, join, normalize, sep } from 'node:path';
import { ModelError } from '../../errors.js';

export interface ExternalLocation {
  /** Relative to the model's folder. */
  readonly location: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes; absent means up to the file's end. */
  readonly length?: number;
}

/**
 * Reads the `expected` bytes of tensor `tensor`.
 *
 * @param directory the model's folder; undefined when the model came without one
 * @throws ModelError `external-data`, naming the tensor and the file
 */
export function readExternal(
  directory: string | undefined,
  tensor: string,
  where: ExternalLocation,
  expected: number,
): Uint8Array {
  const refuse = (detail: string): never => {
    throw new ModelError('external-data', `tensor "${tensor}" in "${where.location}"`, detail);
  };
  if (directory === undefined) {
    return refuse('the weights lie in another file; open the model by its path, not as bytes');
  }
  const path = containedPath(directory, where.location, refuse);
  const descriptor = openPlainFile(path, refuse);
  try {
    return readRange(descriptor, where, expected, refuse);
  } finally {
    closeSync(descriptor);
  }
}

type Refuse = (detail: string) => never;

/** The absolute path, after checking that it stays in `directory` and crosses no link. */
function containedPath(directory: string, location: string, refuse: Refuse): string {
  const parts = normalize(location).split(/[\\/]/);
  if (
    location === '' ||
    location.includes('\0') ||
    isAbsolute(location) ||
    /^[a-z]:/i.test(location)
  ) {
    refuse('expected a file name relative to the model; external files must lie in its folder');
  }
  if (parts.includes('..')) {
    refuse("the path leaves the model's folder; put the file beside the model");
  }
  let path = directory;
  for (const part of parts) {
    path = join(path, part);
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      refuse(`"${parts.join(sep)}" passes through a link; put the file itself beside the model`);
    }
  }
  return path;
}

function openPlainFile(path: string, refuse: Refuse): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return refuse('the file is missing; copy it beside the model');
  if (!found.isFile()) return refuse('expected a plain file');
  // Some systems have no O_NOFOLLOW (it is undefined there); the link check above still stands.
  const flag = (name: 'O_NOFOLLOW' | 'O_NONBLOCK'): number =>
    (constants as Partial<typeof constants>)[name] ?? 0;
  // What was a file a moment ago may be a pipe now, which would be waited for.
  const flags = constants.O_RDONLY | flag('O_NOFOLLOW') | flag('O_NONBLOCK');
  try {
    return openSync(path, flags);
  } catch (error) {
    return refuse(
      `the file cannot be opened (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
    );
  }
}

function readRange(
  descriptor: number,
  where: ExternalLocation,
  expected: number,
  refuse: Refuse,
): Uint8Array {
  const found = fstatSync(descriptor);
  if (!found.isFile()) refuse('expected a plain file');
  // The other name may lie anywhere: an archive can make one to a file outside of its folder.
  if (found.nlink > 1) {
    refuse('the file has another name (a hard link); put a copy of it beside the model');
  }
  const { size } = found;
  const length = where.length ?? size - where.offset;
  if (!isCount(where.offset) || !isCount(length) || where.offset + length > size) {
    refuse(
      `expected bytes ${where.offset} to ${where.offset + length}, the file has ${size}; ` +
        `it does not belong to this model or is cut off`,
    );
  }
  if (length !== expected) refuse(`expected ${expected} bytes of data, the model names ${length}`);
  const bytes = new Uint8Array(expected);
  let done = 0;
  while (done < expected) {
    const got = readSync(descriptor, bytes, done, expected - done, where.offset + done);
    if (got === 0) refuse(`the file ended after ${done} of ${expected} bytes`);
    done += got;
  }
  return bytes;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
