// SPDX-License-Identifier: Apache-2.0
import { removeTemporaries, watchTemporaries } from '../data/index.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Lets a signal end the process at once and nothing half-written behind. As long as there is nothing to
 * remove no handler is set: then the system ends the process, even within a long computation. While there
 * is, the handler removes it and lets the same signal end the process, so that a shell sees 130 either way.
 */
export function cleanUpOnSignals(): void {
  let needed = false;
  let listening = false;
  const end = (signal: NodeJS.Signals): void => {
    removeTemporaries();
    for (const name of signals) process.removeListener(name, end);
    process.kill(process.pid, signal);
  };
  const stop = (): void => {
    if (needed || !listening) return;
    listening = false;
    for (const name of signals) process.removeListener(name, end);
  };
  watchTemporaries({
    began: () => {
      needed = true;
      if (listening) return;
      listening = true;
      for (const name of signals) process.on(name, end);
    },
    ended: () => {
      needed = false;
      // A signal that has come already is handed out by the next turn of the loop at the latest: this one
      // may have looked for signals before it came.
      setImmediate(() => setImmediate(stop));
    },
  });
}
