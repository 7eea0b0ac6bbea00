// SPDX-License-Identifier: Apache-2.0
// 16-bit codes where a target treats them in a way of their own (TFLite's 16x8).
import type { QuantGraph } from '../../graph/quant-graph.js';
import type { TargetSpec } from '../../targets/target.js';
import type { Violations } from './violations.js';

/**
 * Records values of 16 bits with a zero point, and nodes that read codes of one width and write the
 * other: such kernels have 16-bit codes on all sides, symmetric around 0. Only a change of
 * quantization (TFLite's QUANTIZE) leads from one width to the other.
 */
export function checkWide(graph: QuantGraph, target: TargetSpec, violations: Violations): void {
  if (target.arithmetic.s16 === undefined) return;
  for (const { name, dtype, zeroPoint } of graph.values.values()) {
    if (dtype === 's16' && zeroPoint !== 0) {
      violations.add(
        'is s16 with a zero point, which must be 0; quantize 16-bit codes symmetrically',
        `value "${name}"`,
      );
    }
  }
  const isWide = (name: string): boolean => graph.values.get(name)?.dtype === 's16';
  for (const node of graph.nodes) {
    if (node.op === 'Requantize' && node.clamp === undefined) continue;
    const { name, inputs, output } = node;
    if (inputs.some((input) => isWide(input) !== isWide(output))) {
      violations.add(
        'mixes s16 with 8-bit codes, for which the target has no kernel; quantize all of them alike, or change the width in between',
        `node "${name}"`,
      );
    }
  }
}
