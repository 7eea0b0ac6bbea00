// SPDX-License-Identifier: Apache-2.0
import type { Codes } from '../numeric/code-types.js';
import type { ProgramTensor } from '../program/program.js';
import { scaleChannels } from './channel-factors.js';
import { dequantizeToNchw } from './codes.js';
import { type TensorError, ErrorSums } from './error-sums.js';

/**
 * Errors of one layer in two units: the float original's, and steps of the layer's own codes. Where
 * equalization rescaled its channels, a step is worth something else in each of them, so that the
 * second has sums of its own.
 */
export class LayerErrors {
  private readonly original = new ErrorSums();
  private readonly scaled: ErrorSums;

  /** @param factors of the output's channels, where these were rescaled */
  constructor(
    private readonly output: ProgramTensor,
    private readonly factors: ArrayLike<number> | undefined,
  ) {
    this.scaled = factors === undefined ? this.original : new ErrorSums();
  }

  /** @param reference f32 NCHW in the original's units; @param codes NHWC */
  add(reference: Float32Array, codes: Codes): void {
    const { factors, scaled, original } = this;
    const reals = dequantizeToNchw(codes, this.output);
    original.add(reference, scaleChannels(reals, factors, 'divide'));
    if (scaled !== original) scaled.add(scaleChannels(reference, factors, 'multiply'), reals);
  }

  /** In the float original's units. */
  result(): TensorError {
    return this.original.result();
  }

  get rmsLsb(): number {
    return this.scaled.rms / this.output.scale;
  }

  get maxLsb(): number {
    return this.scaled.result().maxAbsError / this.output.scale;
  }
}
