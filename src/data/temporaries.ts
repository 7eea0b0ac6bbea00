// SPDX-License-Identifier: Apache-2.0
// Files and folders that are there only while they are being made. A process that is interrupted removes
// them; whether it listens for that is the program's business, not the library's.
import { rmSync } from 'node:fs';

/** Told when there is something to remove, and when there is nothing any more. */
export interface TemporaryWatch {
  began(): void;
  ended(): void;
}

const live = new Set<string>();
let watch: TemporaryWatch | undefined;

/** For the process's main program: from now on it is told. */
export function watchTemporaries(watching: TemporaryWatch): void {
  watch = watching;
}

/** To be called before the path is made; what it returns, after it was removed or got its name. */
export function holdTemporary(path: string): () => void {
  live.add(path);
  if (live.size === 1) watch?.began();
  return () => {
    live.delete(path);
    if (live.size === 0) watch?.ended();
  };
}

/** Removes all that are there. */
export function removeTemporaries(): void {
  for (const path of live) rmSync(path, { recursive: true, force: true });
  live.clear();
}
