// SPDX-License-Identifier: Apache-2.0
import type { Graph, Node } from '../../graph/graph.js';
import {
  activationDType,
  codeLimits,
  type ActivationScheme,
  type Quantization,
} from '../codes/scales.js';

/** Functions into [0, 1] have the quantization that runtimes expect of them: steps of 1/256. */
export function fixedQuantizations(
  graph: Graph,
  scheme: ActivationScheme,
): ReadonlyMap<string, Quantization> {
  return new Map(
    graph.nodes.filter(isUnit).map((node) => [node.outputs[0]!, unitQuantization(scheme)] as const),
  );
}

function isUnit(node: Node): boolean {
  return node.op === 'Softmax' || node.op === 'Sigmoid' || node.op === 'HardSigmoid';
}

/** Whether the operator that writes `value` dictates its quantization. */
export function isFixed(graph: Graph, value: string): boolean {
  return graph.nodes.some((node) => isUnit(node) && node.outputs[0] === value);
}

function unitQuantization(scheme: ActivationScheme): Quantization {
  const dtype = activationDType({ min: 0, max: 1 }, scheme);
  const [minCode, maxCode] = codeLimits(dtype);
  const zeroPoint = scheme.zeroPoint && dtype !== 's16' ? minCode : 0;
  return {
    dtype,
    bits: dtype === 's16' ? 16 : 8,
    scale: 1 / (maxCode + 1 - zeroPoint),
    zeroPoint,
  };
}
