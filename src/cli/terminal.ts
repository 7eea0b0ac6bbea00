// SPDX-License-Identifier: Apache-2.0
import { SingleBar } from 'cli-progress';

import { escapeControls, exitCodes } from '../errors.js';
import type { ProgressListener } from '../index.js';

/** Where a command writes; tests give their own. */
export interface Terminal {
  /** Results alone. */
  out(text: string): void;
  /** Everything else: errors, warnings, notes. */
  err(text: string): void;
  /** Whether bars can be drawn on standard error. */
  readonly interactive: boolean;
}

/**
 * The process's own streams. A reader that goes away (`| head`) ends the output, not the work; output that
 * cannot be written otherwise (a full disk) is an error of the command.
 */
export function processTerminal(): Terminal {
  let open = true;
  let failed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    open = false;
    if (error.code === 'EPIPE' || failed) return;
    failed = true;
    process.stderr.write(
      `error [cannot-write] standard output: ${error.message}; free some space\n`,
    );
  });
  // The error may come before or after the command ends, so the exit code waits for the very end.
  process.on('exit', () => {
    if (failed && !process.exitCode) process.exitCode = exitCodes.usage;
  });
  process.stderr.on('error', () => undefined);
  return {
    out: (text) => {
      if (open) process.stdout.write(text);
    },
    err: (text) => {
      process.stderr.write(text);
    },
    interactive: process.stderr.isTTY,
  };
}

/** Progress on standard error: a bar for each stage, or lines where no bar can be drawn. */
export interface ProgressBars {
  readonly report: ProgressListener;
  /** Leaves the last bar as it stands, so that text can follow. */
  stop(): void;
}

/** Milliseconds between two lines where no bar can be drawn. */
const lineEvery = 10_000;

/**
 * One line every 10 s, for logs: nothing of a command that ends before.
 *
 * @param now milliseconds, of a clock that only goes forward
 */
export function progressLines(
  terminal: Terminal,
  now: () => number = () => performance.now(),
): ProgressBars {
  let last = now();
  return {
    stop: () => undefined,
    report: (stage, done, total) => {
      if (now() - last < lineEvery) return;
      last = now();
      terminal.err(`progress ${escapeControls(stage)} ${done}/${total}\n`);
    },
  };
}

export function progressBars(terminal: Terminal): ProgressBars {
  if (!terminal.interactive) return progressLines(terminal);
  let bar: SingleBar | undefined;
  let current = '';
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    stop,
    report: (stage, done, total) => {
      if (!bar || stage !== current) {
        stop();
        bar = new SingleBar({
          format: '{stage} {bar} {value}/{total}  {eta_formatted} left',
          barsize: 30,
          // No handler of signals: they would wait for a long computation to end.
          gracefulExit: false,
          stream: process.stderr,
        });
        bar.start(total, done, { stage: escapeControls(stage).padEnd(16) });
        current = stage;
      }
      bar.update(done);
    },
  };
}
