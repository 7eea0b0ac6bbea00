// SPDX-License-Identifier: Apache-2.0
// Clamps of a layer, and the limits of narrow codes, as Relu, Clip or Max and Min.
import type { Clamp } from '../../graph/graph.js';
import type { QuantValue } from '../../graph/quant-graph.js';
import { codeLimits } from '../../numeric/code-types.js';
import type { OnnxBuilder } from '../file/builder.js';
import type { Stage } from './writer.js';

export function clampStages(
  file: OnnxBuilder,
  layer: string,
  { lo, hi }: Clamp,
  value: QuantValue,
): readonly Stage[] {
  if (lo.length === 1 && hi.length === 1) return [scalarClamp(file, layer, lo[0]!, hi[0]!)];
  const spatial = value.shape.slice(2).map(() => 1);
  const bound = (op: 'Max' | 'Min', data: Float32Array): Stage => {
    const shape = data.length === 1 ? [] : [1, data.length, ...spatial];
    const constant = file.constant(`${layer}_${op === 'Max' ? 'lo' : 'hi'}`, 'f32', shape, data);
    return { op, name: file.layer(`${layer}_${op}`), inputs: [constant], chained: true };
  };
  return [bound('Max', lo), bound('Min', hi)];
}

/** Relu where it says the same, Clip otherwise; an open side is an absent input. */
function scalarClamp(file: OnnxBuilder, layer: string, lo: number, hi: number): Stage {
  if (Object.is(lo, 0) && hi === Infinity) {
    return { op: 'Relu', name: file.layer(`${layer}_Relu`), inputs: [], chained: true };
  }
  const bounds = [
    lo === -Infinity ? '' : file.constant(`${layer}_lo`, 'f32', [], Float32Array.of(lo)),
    hi === Infinity ? '' : file.constant(`${layer}_hi`, 'f32', [], Float32Array.of(hi)),
  ];
  while (bounds.at(-1) === '') bounds.pop();
  return { op: 'Clip', name: file.layer(`${layer}_Clip`), inputs: bounds, chained: true };
}

/**
 * Codes of a narrow value saturate at its own limits, not at those of the storage type.
 * f32(code * scale) / scale rounds back to the code while codes stay below 2^22.
 */
export function rangeStage(file: OnnxBuilder, value: QuantValue): Stage {
  const { name, scale, zeroPoint } = value;
  const [lo, hi] = codeLimits(value.dtype, value.bits).map((code) => (code - zeroPoint) * scale);
  return {
    op: 'Clip',
    name: file.layer(`${name}_range`),
    inputs: [
      file.constant(`${name}_range_lo`, 'f32', [], Float32Array.of(lo!)),
      file.constant(`${name}_range_hi`, 'f32', [], Float32Array.of(hi!)),
    ],
    chained: true,
  };
}
