// SPDX-License-Identifier: Apache-2.0
import type { Clamp } from '../../graph/graph.js';

const open: Clamp = { lo: Float32Array.of(-Infinity), hi: Float32Array.of(Infinity) };

/** max(x, bound) after `clamp`: bounds are scalars or per channel. */
export function raise(clamp: Clamp | undefined, bound: Float32Array): Clamp {
  const { lo, hi } = clamp ?? open;
  return { lo: combine(lo, bound, Math.max), hi: combine(hi, bound, Math.max) };
}

/** min(x, bound) after `clamp`. */
export function lower(clamp: Clamp | undefined, bound: Float32Array): Clamp {
  const { lo, hi } = clamp ?? open;
  return { lo: combine(lo, bound, Math.min), hi: combine(hi, bound, Math.min) };
}

/** Elementwise with broadcasting; keeps a scalar where the bound changes nothing. */
function combine(
  current: Float32Array,
  bound: Float32Array,
  pick: (a: number, b: number) => number,
): Float32Array {
  if (current.length === 1 && bound.every((b) => pick(current[0]!, b) === current[0])) {
    return current;
  }
  const length = Math.max(current.length, bound.length);
  return Float32Array.from({ length }, (_, c) =>
    pick(current[current.length === 1 ? 0 : c]!, bound[bound.length === 1 ? 0 : c]!),
  );
}

/** Whether two clamps bound every channel alike. */
export function sameClamp(a: Clamp | undefined, b: Clamp | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return sameBounds(a.lo, b.lo) && sameBounds(a.hi, b.hi);
}

function sameBounds(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
