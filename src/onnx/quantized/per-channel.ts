// SPDX-License-Identifier: Apache-2.0

/** A constant that varies along channels only, as a list; undefined for other shapes. */
export function perChannel<T extends { readonly length: number }>(
  constant: readonly number[],
  data: T,
  shape: readonly number[],
): T | undefined {
  if (data.length === 1) return data;
  const aligned = [
    ...Array<number>(Math.max(0, shape.length - constant.length)).fill(1),
    ...constant,
  ];
  const onlyChannels = aligned.every((size, axis) => size === (axis === 1 ? shape[1] : 1));
  return onlyChannels ? data : undefined;
}
