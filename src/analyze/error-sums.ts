// SPDX-License-Identifier: Apache-2.0

/** How far a tensor is from its reference. */
export interface TensorError {
  /**
   * 10 log10(sum of reference^2 / sum of (reference - actual)^2). Infinity where nothing differs,
   * -Infinity where the reference is all zero and the actual values are not.
   */
  readonly sqnrDb: number;
  /** Cosine of the angle between both; 1 where both are all zero. */
  readonly cosine: number;
  readonly maxAbsError: number;
}

/** Collects the error of any number of tensors in constant memory. */
export class ErrorSums {
  private reference = 0;
  private actual = 0;
  private product = 0;
  private noise = 0;
  private largest = 0;
  private count = 0;

  /** Adds two arrays of equal length. */
  add(reference: ArrayLike<number>, actual: ArrayLike<number>): void {
    if (reference.length !== actual.length) {
      throw new RangeError(`${reference.length} reference values, ${actual.length} actual ones`);
    }
    for (let i = 0; i < reference.length; i++) {
      const [r, a] = [reference[i]!, actual[i]!];
      const error = r - a;
      this.reference += r * r;
      this.actual += a * a;
      this.product += r * a;
      this.noise += error * error;
      this.largest = Math.max(this.largest, Math.abs(error));
    }
    this.count += reference.length;
  }

  /** Root of the mean squared error; 0 of nothing. */
  get rms(): number {
    return this.count === 0 ? 0 : Math.sqrt(this.noise / this.count);
  }

  result(): TensorError {
    const norm = Math.sqrt(this.reference * this.actual);
    const bothZero = this.reference === 0 && this.actual === 0;
    return {
      sqnrDb: decibels(this.reference, this.noise),
      cosine: bothZero ? 1 : norm === 0 ? 0 : Math.min(1, this.product / norm),
      maxAbsError: this.largest,
    };
  }
}

/** Signal-to-quantization-noise ratio of one pair of arrays, in dB; see `TensorError`. */
export function sqnrDb(reference: ArrayLike<number>, actual: ArrayLike<number>): number {
  return errorOf(reference, actual).sqnrDb;
}

/** Cosine similarity of one pair of arrays; see `TensorError`. */
export function cosine(reference: ArrayLike<number>, actual: ArrayLike<number>): number {
  return errorOf(reference, actual).cosine;
}

/** All error figures of one pair of arrays. */
export function errorOf(reference: ArrayLike<number>, actual: ArrayLike<number>): TensorError {
  const sums = new ErrorSums();
  sums.add(reference, actual);
  return sums.result();
}

function decibels(signal: number, noise: number): number {
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}
