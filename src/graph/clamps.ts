// SPDX-License-Identifier: Apache-2.0
import type { Clamp } from './graph.js';

/** A clamp with one bound for the whole tensor. */
export function scalarClamp(lo: number, hi: number): Clamp {
  return { lo: Float32Array.of(lo), hi: Float32Array.of(hi) };
}

/** Whether both sides have one bound for the whole tensor. */
export function isScalarClamp(clamp: Clamp): boolean {
  return clamp.lo.length === 1 && clamp.hi.length === 1;
}

/** Whether the clamp changes nothing. */
export function isOpenClamp(clamp: Clamp): boolean {
  return clamp.lo.every((x) => x === -Infinity) && clamp.hi.every((x) => x === Infinity);
}

/** `second` applied to what `first` leaves, as one clamp; exact. */
export function mergeClamps(first: Clamp, second: Clamp): Clamp {
  const length = Math.max(...[first.lo, first.hi, second.lo, second.hi].map((side) => side.length));
  const at = (side: Float32Array, i: number) => (side.length === 1 ? side[0]! : side[i]!);
  const merged = (side: Float32Array) =>
    Float32Array.from({ length }, (_, i) =>
      Math.min(Math.max(at(side, i), at(second.lo, i)), at(second.hi, i)),
    );
  return { lo: merged(first.lo), hi: merged(first.hi) };
}
