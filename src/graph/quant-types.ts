// SPDX-License-Identifier: Apache-2.0
import type { QuantValue } from './quant-graph.js';

/** Whether two activations give every code the same meaning. */
export function sameQuantization(
  a: Pick<QuantValue, 'dtype' | 'scale' | 'zeroPoint'>,
  b: Pick<QuantValue, 'dtype' | 'scale' | 'zeroPoint'>,
): boolean {
  return a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}
