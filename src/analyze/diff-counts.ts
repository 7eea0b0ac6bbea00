// SPDX-License-Identifier: Apache-2.0
// How many codes of two results differ, over all images.
import type { Codes } from '../numeric/code-types.js';
import type { Trap } from '../program/executor.js';
import type { Outcome } from './diff-experiments.js';

/** Codes of two tensors that are not the same. */
export interface CodeDifference {
  /** Compared, over all images. */
  readonly elements: number;
  readonly differing: number;
  /** Largest difference of two codes. */
  readonly maxLsb: number;
}

export class Counts {
  elements = 0;
  differing = 0;
  maxLsb = 0;
  trap: Trap | undefined;

  add(a: Outcome | undefined, b: Outcome | undefined): void {
    if (a === undefined || b === undefined) return;
    if ('data' in a && 'data' in b) {
      this.compare(a.data, b.data);
      return;
    }
    // One side or both have no codes: equal only where the same value left the same range.
    const [x, y] = [a, b].map((one) => ('data' in one ? undefined : one));
    if (x && x.element === y?.element && x.value === y.value) return;
    const codes = 'data' in a ? a : 'data' in b ? b : undefined;
    const count = codes?.data.length ?? 1;
    this.elements += count;
    this.differing += count;
    this.trap ??= y ?? x;
  }

  result(): CodeDifference {
    const { elements, differing, maxLsb } = this;
    return { elements, differing, maxLsb };
  }

  private compare(a: Codes, b: Codes): void {
    this.elements += a.length;
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i]) continue;
      this.differing++;
      this.maxLsb = Math.max(this.maxLsb, Math.abs(a[i]! - b[i]!));
    }
  }
}
