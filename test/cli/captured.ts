// SPDX-License-Identifier: Apache-2.0
import { runCli } from '../../src/cli/run-cli.js';

export interface Captured {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process; what it prints is kept. */
export async function lastbit(...args: (string | number)[]): Promise<Captured> {
  let out = '';
  let err = '';
  const code = await runCli(args.map(String), {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    interactive: false,
  });
  return { code, out, err };
}

/** The same with `--format json`; the document. Fails on an error. */
export async function lastbitJson<T = Record<string, unknown>>(
  ...args: (string | number)[]
): Promise<T> {
  const { code, out, err } = await lastbit(...args, '--format', 'json');
  if (code !== 0) throw new Error(`exit ${code}: ${err}`);
  return JSON.parse(out) as T;
}
