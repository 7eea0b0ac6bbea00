// SPDX-License-Identifier: Apache-2.0
// What every executor of a program (interpreter, native engine) takes and gives.
import type { CodeType, Codes } from '../numeric/code-types.js';

/** The codes of one tensor, NHWC, with what is needed to read them as reals. */
export interface CodeTensor {
  readonly name: string;
  readonly dtype: CodeType;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly data: Codes;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The first accumulator that left its range, where the target's accumulator traps. */
export interface Trap {
  /** Name of the operation. */
  readonly layer: string;
  /** NHWC index of the output element. */
  readonly element: number;
  /** The exact value that did not fit. */
  readonly value: bigint;
}

/** What a run hands out besides the outputs. */
export interface RunOptions {
  /** Names of operations or tensors whose codes to return as well. */
  readonly taps?: 'all' | readonly string[];
}

/** Codes of the outputs and of the tapped tensors, and the first trap where there was one. */
export interface RunResult {
  readonly outputs: readonly CodeTensor[];
  /** By tensor name, in program order. */
  readonly taps: ReadonlyMap<string, CodeTensor>;
  readonly trap?: Trap;
}
