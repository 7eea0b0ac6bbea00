// SPDX-License-Identifier: Apache-2.0
// Peers that are programs of their own (bench/peers): each waits as a child process until it is
// asked for a number of runs, and times them itself. The protocol stands in bench/peers/serve.h.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface NativePeer {
  readonly version: string;
  /** Codes of the network's output for the given input, in the peer's own type. */
  readonly output: readonly number[];
  /** Milliseconds of `count` runs. */
  runBlock(count: number): Promise<readonly number[]>;
  close(): void;
}

/** Where bench/peers/build.cjs puts a peer; undefined where it has not been built. */
export function findNativePeer(name: string): string | undefined {
  const folder = process.env.LASTBIT_PEERS ?? join(__dirname, '..', '..', 'build', 'peers');
  const file = join(folder, name);
  return existsSync(file) ? file : undefined;
}

/**
 * Starts a peer and waits until it is ready.
 *
 * @param args the program, the input codes, further ones
 * @param environment variables to add to this process's own
 * @throws Error with the peer's own reason where it refuses the program
 */
export async function openNativePeer(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<NativePeer> {
  const env = { ...process.env, ...environment };
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
  const ask = lineReader(child);
  const ready = JSON.parse(await ask()) as {
    refused?: string;
    version?: string;
    output?: number[];
  };
  if (ready.refused !== undefined) throw new Error(ready.refused);
  return {
    version: ready.version ?? 'unknown',
    output: ready.output ?? [],
    runBlock: async (count) => {
      child.stdin.write(`${count}\n`);
      return JSON.parse(await ask()) as number[];
    },
    close: () => {
      child.stdin.end();
      child.kill();
    },
  };
}

/** Waits for the next line; rejects when the process ends instead. */
function lineReader(child: ChildProcess): () => Promise<string> {
  const lines: string[] = [];
  let ended: string | undefined;
  let wake = (): void => undefined;
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  const end = (reason: string) => {
    ended ??= reason;
    wake();
  };
  child.on('error', (error) => {
    end(error.message);
  });
  child.on('close', (code, signal) => {
    end(`it ended with ${signal ?? `exit code ${code}`}`);
  });
  return async () => {
    while (lines.length === 0 && ended === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const line = lines.shift();
    if (line === undefined) throw new Error(ended);
    return line;
  };
}
