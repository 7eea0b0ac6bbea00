// SPDX-License-Identifier: Apache-2.0
// What the checks of programs share: how a fault is reported, and the tensors of an operation.
import { ModelError } from '../../errors.js';
import { codeLimits } from '../../numeric/code-types.js';
import type { ProgramTensor } from '../program.js';

/** Codes, biases and accumulators of 32 bits. */
export const int32: Range = codeLimits('s32');

export type Range = readonly [least: number, greatest: number];

/** Reports what is wrong with one tensor, operation or the program as a whole. */
export class Place {
  constructor(readonly where: string) {}

  fail(detail: string): never {
    throw new ModelError(
      'invalid-program',
      this.where,
      `${detail}; the program is damaged, make it again`,
    );
  }

  require(condition: boolean, detail: () => string): void {
    if (!condition) this.fail(detail());
  }

  integer(value: number, [least, greatest]: Range, what: string): void {
    this.require(
      Number.isInteger(value) && value >= least && value <= greatest,
      () => `expected ${what} in [${least}, ${greatest}], got ${value}`,
    );
  }

  integers(values: Iterable<number>, [least, greatest]: Range, what: string): void {
    // Millions of weights, whose array's type says it already.
    if (values instanceof Int8Array && least <= -128 && greatest >= 127) return;
    if (values instanceof Uint8Array && least <= 0 && greatest >= 255) return;
    for (const value of values) {
      if (!Number.isInteger(value) || value < least || value > greatest) {
        this.integer(value, [least, greatest], what);
      }
    }
  }

  scale(value: number, [least, greatest]: Range, what: string): void {
    this.require(
      Math.fround(value) === value && value >= least && value <= greatest,
      () => `expected ${what} to be a float32 in [${least}, ${greatest}], got ${value}`,
    );
  }

  /** An array with one entry, or one per channel. */
  entries(array: ArrayLike<unknown>, channels: number, what: string): void {
    this.require(
      array.length === 1 || array.length === channels,
      () => `expected 1 or ${channels} entries of ${what}, got ${array.length}`,
    );
  }
}

/** Float32 scales: positive and finite. */
export const positive: Range = [2 ** -149, (2 - 2 ** -23) * 2 ** 127];

/** Sides, channel counts, kernels and pads. */
export const maxSide = 65536;

/** Scales whose sums and products stay far from the ends of float32. */
export const moderate: Range = [2 ** -64, 2 ** 64];

/** One operation that is checked. */
export interface Context {
  readonly place: Place;
  readonly inputs: readonly ProgramTensor[];
  /** The first of them. */
  readonly input: ProgramTensor;
  readonly output: ProgramTensor;
}

export function requireShape(
  { place, output }: Context,
  height: number,
  width: number,
  channels: number,
  fits = output.height === height && output.width === width && output.channels === channels,
): void {
  place.require(
    fits,
    () =>
      `expected an output of ${height} x ${width} x ${channels}, ` +
      `got ${output.height} x ${output.width} x ${output.channels}`,
  );
}

export function checkSameCodes({ place, inputs, output }: Context): void {
  place.require(
    inputs.every((x) => x.dtype === output.dtype && x.zeroPoint === output.zeroPoint),
    () => 'expected type and zero point of inputs and output to be equal',
  );
}

export function requireEightBits({ place }: Context, tensor: ProgramTensor): void {
  place.require(
    tensor.dtype === 'u8' || tensor.dtype === 's8',
    () => `expected "${tensor.name}" to be u8 or s8, got ${tensor.dtype}`,
  );
}

/** Least and greatest of code - zero point. */
export function centred({ dtype, zeroPoint }: ProgramTensor): Range {
  const [least, greatest] = codeLimits(dtype);
  return [least - zeroPoint, greatest - zeroPoint];
}
