// SPDX-License-Identifier: Apache-2.0
import type { GramGeometry } from '../calibrate/gram.js';
import type { Solver } from '../quantize/reconstruct/solver.js';
import { native } from './native.js';

/**
 * The native solvers. Results do not depend on the number of threads.
 *
 * @throws UsageError without the addon
 */
export function nativeSolver(threads = 1): Solver {
  const addon = native();
  return {
    openGramSum: (geometry, cross) => new addon.GramSum(numbersOf(geometry), threads, cross),
    roundWeights: (problem) => addon.roundWeights({ ...problem, threads }),
  };
}

/** In the order of native/solve/gram.h. */
function numbersOf(geometry: GramGeometry): Int32Array {
  const { channels, height, width, kernel, strides, pads, dilations, output, groups } = geometry;
  const windows = [...kernel, ...strides, ...pads, ...dilations, ...output];
  return Int32Array.of(channels, height, width, ...windows, groups);
}
