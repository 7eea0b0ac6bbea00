// SPDX-License-Identifier: Apache-2.0
// The types of codes and what they hold.

/** Types of codes, in the order of their numbers in a file. */
export const codeTypes = ['u8', 's8', 's16', 's32'] as const;

/** Unsigned or signed (two's complement), and the width in bits. */
export type CodeType = (typeof codeTypes)[number];

/** Codes of one tensor, in an array of their type. */
export type Codes = Uint8Array | Int8Array | Int16Array | Int32Array;

/** The arrays that hold the codes of a type. */
export const codeArrays = {
  u8: Uint8Array,
  s8: Int8Array,
  s16: Int16Array,
  s32: Int32Array,
} as const satisfies Readonly<Record<CodeType, unknown>>;

/** Width of a storage type in bits. */
export const bitsOfType: Readonly<Record<CodeType, number>> = { u8: 8, s8: 8, s16: 16, s32: 32 };

/**
 * The smallest and the largest code of a type.
 *
 * @param bits how many of its bits are in use; all unless given
 */
export function codeLimits(
  dtype: CodeType,
  bits = bitsOfType[dtype],
): readonly [min: number, max: number] {
  return dtype === 'u8' ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** The nearest value within [min, max]. NaN stays. */
export function clampInteger(value: number, min: number, max: number): number {
  return value < min ? min : value > max ? max : value;
}
