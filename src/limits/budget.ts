// SPDX-License-Identifier: Apache-2.0
// What one file may cost. A file says in a few bytes how much is to be read, computed and kept; each reader
// takes what it is about to use from the budget of its file, before it uses it.
import { LimitError } from '../errors.js';

/** What a command or a reader may use for one model, and for each file of inputs. */
export interface Limits {
  /** MiB of memory for what a file holds and asks for (default 1024). */
  readonly maxMemory?: number | undefined;
  /** Multiply-accumulates and element steps of one inference (default 10^11). */
  readonly maxSteps?: number | undefined;
}

/** A MobileNet takes below 100 MiB and 10^9 steps; the largest classifiers some 10^10. */
const defaultLimits = { maxMemory: 1024, maxSteps: 1e11 } as const;

const mebi = 2 ** 20;

/** Counts down; one for each file. */
export class Budget {
  private memory = 0;
  private steps = 0;
  private readonly maxBytes: number;
  private readonly maxSteps: number;

  constructor({ maxMemory, maxSteps }: Limits = {}) {
    this.maxBytes = (maxMemory ?? defaultLimits.maxMemory) * mebi;
    this.maxSteps = maxSteps ?? defaultLimits.maxSteps;
  }

  /** Bytes that are left. */
  get bytesLeft(): number {
    return this.maxBytes - this.memory;
  }

  /**
   * @param where the file, tensor or layer that asks
   * @param what the bytes are for, a noun
   * @throws LimitError `too-much-memory` before anything is allocated
   */
  takeMemory(bytes: number, where: string, what: string): void {
    this.memory += bytes;
    if (this.memory <= this.maxBytes) return;
    throw new LimitError(
      'too-much-memory',
      where,
      `${what} would bring the memory for this file to ${mebibytes(this.memory)}, more than ${mebibytes(this.maxBytes)}; if the file is to be trusted, raise --max-memory`,
    );
  }

  /**
   * @throws LimitError `too-much-work` before anything runs
   */
  takeSteps(steps: number, where: string): void {
    this.steps += steps;
    if (this.steps <= this.maxSteps) return;
    throw new LimitError(
      'too-much-work',
      where,
      `one inference would take ${this.steps.toExponential(2)} multiply-accumulates and element steps up to here, more than ${this.maxSteps.toExponential(2)}; if the file is to be trusted, raise --max-steps`,
    );
  }
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / mebi)} MiB`;
}
