// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync } from 'node:fs';

import { UsageError } from '../errors.js';
import { kindOf } from '../limits/read-file.js';

/**
 * Refuses a folder that already holds something, before the work that would add to it.
 * @throws UsageError `folder-in-use`
 */
export function requireFreeFolder(folder: string, overwrite: boolean): void {
  if (!existsSync(folder)) return;
  if (kindOf(folder) !== 'folder') {
    throw new UsageError('folder-in-use', folder, 'expected a folder for --out, got a file');
  }
  if (overwrite || readdirSync(folder).length === 0) return;
  throw new UsageError(
    'folder-in-use',
    folder,
    'the folder is not empty; choose another --out or add --overwrite',
  );
}

/** A name for a file or folder: the number keeps the order and makes it unique, the rest is for people. */
export function numberedName(index: number, name: string): string {
  const readable = name
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(-80);
  return `${String(index).padStart(3, '0')}-${readable}`;
}
