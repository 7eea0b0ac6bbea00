// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it. One at a time, as Node's `recursive` tries forever where the system
 * says that there is no such folder to make one in, for example below /proc.
 * @throws the system's error
 */
export function makeFolder(folder: string): void {
  const full = resolve(folder);
  if (existsSync(full)) return;
  makeFolder(dirname(full));
  try {
    mkdirSync(full);
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
