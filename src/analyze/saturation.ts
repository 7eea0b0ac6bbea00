// SPDX-License-Identifier: Apache-2.0
import { type CodeType, codeLimits } from '../numeric/code-types.js';

/** What a tensor's codes can stand for. */
export interface Quantization {
  readonly dtype: CodeType;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Counts values that a tensor cannot hold, in constant memory. */
export class SaturationCount {
  private saturated = 0;
  private values = 0;
  private readonly ends: readonly [number, number];
  private readonly reals: readonly [number, number];

  constructor({ dtype, scale, zeroPoint }: Quantization) {
    const [minCode, maxCode] = codeLimits(dtype);
    this.ends = [minCode, maxCode];
    this.reals = [scale * (minCode - 0.5 - zeroPoint), scale * (maxCode + 0.5 - zeroPoint)];
  }

  /**
   * A code counts as saturated if it is the minimum or maximum of its type and the reference lies
   * more than half a step beyond it; so the many zeros of a ReLU do not count.
   */
  add(reference: ArrayLike<number>, codes: ArrayLike<number>): void {
    for (let i = 0; i < codes.length; i++) {
      const below = codes[i] === this.ends[0] && reference[i]! < this.reals[0];
      const above = codes[i] === this.ends[1] && reference[i]! > this.reals[1];
      if (below || above) this.saturated++;
    }
    this.values += codes.length;
  }

  /** Share of all values, 0 to 100. */
  percent(): number {
    return this.values === 0 ? 0 : (100 * this.saturated) / this.values;
  }
}
