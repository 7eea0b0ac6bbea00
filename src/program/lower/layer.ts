// SPDX-License-Identifier: Apache-2.0
import type { CodeClamp } from '../program.js';

/** What a requantization by steps or thresholds needs to know besides the factors. */
export interface Layer {
  /** Real value of one step of the accumulator; one, or one per channel. Exact in binary64. */
  readonly steps: readonly number[];
  /** The accumulator is divided by it, too: the codes in a mean. 1 if absent. */
  readonly divisor?: number;
  readonly outputScale: number;
  readonly zeroPoint: number;
  /** Codes that the output may hold. */
  readonly clamp: CodeClamp;
  /** As the target holds it, at accumulator scale; absent where there is none. */
  readonly bias?: Int32Array;
  /** No accumulator exceeds it in magnitude. */
  readonly reach: number;
}

/** Calls a function with the reason for what a target cannot represent, and its channel. */
export type Refuse = (channel: number, reason: string) => never;
