// SPDX-License-Identifier: Apache-2.0

/** q in [0.5, 1) and e with value = q * 2^e, as C's frexp; `value` positive, finite and normal. */
export function frexp(value: number): readonly [q: number, e: number] {
  let e = Math.floor(Math.log2(value)) + 1;
  // log2 may round to the next integer; scaling by powers of two is exact.
  if (value / 2 ** e >= 1) ++e;
  if (value / 2 ** e < 0.5) --e;
  return [value / 2 ** e, e];
}
