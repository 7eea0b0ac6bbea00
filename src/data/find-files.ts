// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

import { ModelError } from '../errors.js';
import { kindOf } from '../limits/read-file.js';
import type { Labelled } from './labels.js';

const imageExtensions = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const dataExtensions = ['.npy', '.bin'];

/**
 * Every image and array in a folder and below, by path relative to it, sorted. Other files and
 * hidden ones are passed over.
 * @throws ModelError `no-such-folder`, `no-images`
 */
export function findInputFiles(folder: string): string[] {
  if (!existsSync(folder)) throw new ModelError('no-such-folder', folder, 'it does not exist');
  if (kindOf(folder) !== 'folder') {
    throw new ModelError('no-such-folder', folder, 'expected a folder of images, got a file');
  }
  const wanted = [...imageExtensions, ...dataExtensions];
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && wanted.includes(extname(entry.name).toLowerCase()))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => !name.split('/').some((part) => part.startsWith('.')))
    .sort((a, b) => (a < b ? -1 : 1));
  if (files.length > 0) return files;
  throw new ModelError(
    'no-images',
    folder,
    `the folder holds no image; looked for ${wanted.join(' ')} in it and below`,
  );
}

/**
 * Checks that labelled files exist, before hours of work.
 * @throws ModelError `no-such-file` naming the first and counting the rest
 */
export function requireFiles(folder: string, entries: readonly Labelled[]): void {
  const missing = entries.filter(({ file }) => !existsSync(join(folder, file)));
  if (missing.length === 0) return;
  const others = missing.length > 1 ? ` (and ${missing.length - 1} more)` : '';
  throw new ModelError(
    'no-such-file',
    join(folder, missing[0]!.file),
    `listed with a label, but does not exist${others}; paths are relative to --images`,
  );
}
