// SPDX-License-Identifier: Apache-2.0
import type { Clamp } from '../../graph/graph.js';
import type { QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { roundNearest } from '../../numeric/round.js';
import type { CodeClamp } from '../program.js';
import { limitsOf, type LoweringState } from './state.js';

/**
 * Real bounds as codes: zero point + round(f32(bound / scale)), within the codes of the value
 * (TensorFlow Lite's CalculateActivationRangeQuantized).
 *
 * @param perChannel whether the operation has room for bounds per channel
 */
export function codeClamp(
  state: LoweringState,
  node: QuantNode,
  clamp: Clamp | undefined,
  value: QuantValue,
  perChannel: boolean,
): CodeClamp {
  const [least, greatest] = limitsOf(value);
  if (clamp === undefined) return { lo: Int32Array.of(least), hi: Int32Array.of(greatest) };
  const { clampRounding } = state.target.arithmetic;
  const codes = (bounds: Float32Array): Int32Array => {
    const all = Int32Array.from(bounds, (bound) => {
      const code = roundNearest(Math.fround(bound / value.scale), clampRounding) + value.zeroPoint;
      return Math.min(Math.max(code, least), greatest);
    });
    return all.every((code) => code === all[0]) ? all.slice(0, 1) : all;
  };
  const result = { lo: codes(clamp.lo), hi: codes(clamp.hi) };
  const several = Math.max(result.lo.length, result.hi.length) > 1;
  const { constraints, perChannelClampInFloat } = state.target;
  // A file that has them runs, and is said to be inexact (pipeline/float-layers.ts).
  const takesThem = constraints.perChannelClamp || perChannelClampInFloat === true;
  if (several && !(perChannel && takesThem)) {
    state.refuse(
      node,
      'has a clamp per channel, which the target has not; quantize again for this target, or take q31-pc',
    );
  }
  return result;
}
