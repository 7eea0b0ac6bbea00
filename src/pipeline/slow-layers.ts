// SPDX-License-Identifier: Apache-2.0
// What keeps a runtime from its integer kernels, said before a file is deployed.
import type { QuantConv, QuantGraph, QuantNode } from '../graph/quant-graph.js';
import type { TargetSpec } from '../targets/target.js';
import { cuts } from './float-layers.js';

/** Operators that onnxruntime has no integer kernel for. */
const floatOperators: readonly QuantNode['op'][] = ['HardSwish', 'HardSigmoid'];

/**
 * Why onnxruntime runs layers of an ONNX file of this graph in float, whichever form it has, and what
 * that costs; undefined where integer kernels take all of them, and for other targets. (Read off its
 * optimized graphs, 1.30 and 1.32.)
 */
export function slowLayers(graph: QuantGraph, target: TargetSpec): string | undefined {
  if (target.perChannelClampInFloat !== true) return undefined;
  const convs = graph.nodes.filter((node) => node.op === 'Conv');
  const clamped = convs.filter((conv) => cuts(graph, conv));
  const functions = graph.nodes.filter(({ op }) => floatOperators.includes(op));
  const reasons = [clampReason(clamped, convs.length, target), functionReason(functions)].filter(
    (reason) => reason !== undefined,
  );
  if (reasons.length === 0) return undefined;
  return `onnxruntime runs in float, between DequantizeLinear and QuantizeLinear, ${reasons.join('; and ')}`;
}

function clampReason(
  clamped: readonly QuantConv[],
  all: number,
  { id }: TargetSpec,
): string | undefined {
  if (clamped.length === 0) return undefined;
  const perChannel = clamped.some(({ clamp }) => clamp!.lo.length > 1 || clamp!.hi.length > 1);
  const wayOut = perChannel ? `: quantize again for ${id}, which makes none for each channel` : '';
  return `${clamped.length} of ${all} convolutions, as their clamps leave out codes (27 of 28 made V1 0.75 9 times slower)${wayOut}`;
}

function functionReason(functions: readonly QuantNode[]): string | undefined {
  if (functions.length === 0) return undefined;
  const ops = [...new Set(functions.map(({ op }) => op))].join(', ');
  return `${functions.length} layers (${ops}), for want of an integer kernel`;
}
