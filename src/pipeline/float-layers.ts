// SPDX-License-Identifier: Apache-2.0
// Where a runtime computes in float although the file is quantized: its codes may differ from a
// profile's, so the profile's evidence does not hold there.
import type { QuantConv, QuantGraph, QuantNode } from '../graph/quant-graph.js';
import { codeLimits } from '../numeric/code-types.js';
import type { TargetSpec } from '../targets/target.js';

/**
 * Why onnxruntime on x86 runs layers of this model in float; undefined where it runs integer
 * kernels. It has these in QDQ files for u8 codes only, and where no clamp is left between a
 * convolution and its QuantizeLinear. (Read off its optimized graphs, 1.30 and 1.32.) For s8 codes a
 * session has to allow them; then its codes are the profile's (test/onnx/quantized/exports.test.ts).
 */
export function floatLayers(graph: QuantGraph, target: TargetSpec): string | undefined {
  if (target.qdqInFloat !== true || graph.origin === 'qop') return undefined;
  const { values, nodes, origin } = graph;
  const says = `codes may differ from those of ${target.id}`;
  const signed = nodes.some(({ inputs }) =>
    inputs.some((name) => values.get(name)?.dtype === 's8'),
  );
  if (signed) {
    return `onnxruntime on x86 runs QDQ layers over s8 codes in float: ${says}; its session entry session.qdqisint8allowed=1, u8 codes or a QOperator file avoid it`;
  }
  // What lastbit quantized for onnxruntime has neither.
  if (origin === 'tflite') return undefined;
  const clamped = nodes.filter((node) => node.op === 'Conv' && cuts(graph, node));
  const withoutKernel = nodes.filter(({ floatKernel }) => floatKernel);
  const reasons = [
    sentence(clamped, 'as their clamp leaves out codes'),
    sentence(withoutKernel, 'for want of an integer kernel'),
  ].filter((reason) => reason !== undefined);
  if (reasons.length === 0) return undefined;
  return `onnxruntime on x86 runs ${reasons.join(', and ')}: ${says}`;
}

function sentence(layers: readonly QuantNode[], why: string): string | undefined {
  if (layers.length === 0) return undefined;
  const shown = layers.slice(0, 3).map(({ name }) => `"${name}"`);
  const more = layers.length > 3 ? ` and ${layers.length - 3} more` : '';
  return `${shown.join(', ')}${more} in float, ${why}`;
}

/** Whether a clamp does more than the saturation of the codes behind it. */
export function cuts({ values }: QuantGraph, { clamp, output }: QuantConv): boolean {
  const { scale, zeroPoint, dtype } = values.get(output)!;
  const [lowest, highest] = codeLimits(dtype).map((code) =>
    Math.fround(scale * (code - zeroPoint)),
  );
  return (
    clamp !== undefined &&
    (clamp.lo.some((bound) => bound > lowest!) || clamp.hi.some((bound) => bound < highest!))
  );
}
