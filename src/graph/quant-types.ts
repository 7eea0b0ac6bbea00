// SPDX-License-Identifier: Apache-2.0
import type { QuantDType, QuantValue } from './quant-graph.js';

/** Width of a storage type in bits. */
export const bitsOfType: Readonly<Record<QuantDType, number>> = { u8: 8, s8: 8, s16: 16, s32: 32 };

/** Least and greatest code of a type when only `bits` of it are in use. */
export function codeLimits(dtype: QuantDType, bits: number): readonly [lo: number, hi: number] {
  return dtype === 'u8' ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** Whether two activations give every code the same meaning. */
export function sameQuantization(
  a: Pick<QuantValue, 'dtype' | 'scale' | 'zeroPoint'>,
  b: Pick<QuantValue, 'dtype' | 'scale' | 'zeroPoint'>,
): boolean {
  return a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}
