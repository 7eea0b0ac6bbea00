// SPDX-License-Identifier: Apache-2.0
// Operators on constants are computed while a file is read; what they make is paid for before.
import type { Tensor } from '../../graph/graph.js';
import { elementCount } from '../../graph/tensors.js';
import type { Budget } from '../../limits/budget.js';
import { type OnnxNode } from '../file/model.js';

/** The largest element, and as much again while it is made. */
const bytesEach = 16;

/** Operators whose result is no larger than their inputs together, and that keep what they make. */
const sharing: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'Squeeze', 'Unsqueeze']);

/**
 * Takes the memory of a node's constant result.
 * @throws LimitError `too-much-memory`
 */
export function takeFolded(
  budget: Budget,
  node: OnnxNode,
  inputs: readonly (Tensor | undefined)[],
): void {
  if (sharing.has(node.op)) return;
  const bytes = bytesEach * boundOf(node, inputs);
  budget.takeMemory(bytes, `node "${node.name}"`, `computing its constant result (${node.op})`);
}

/** An upper bound of the elements of the result. */
function boundOf({ op, attributes }: OnnxNode, inputs: readonly (Tensor | undefined)[]): number {
  const [first, second] = inputs;
  switch (op) {
    case 'ConstantOfShape':
      return elementCount(Array.from(first?.data ?? []));
    case 'Expand':
      return Math.max(1, elementCount(Array.from(second?.data ?? []))) * (first?.data.length ?? 0);
    case 'Gather': {
      const axis = attributes.get('axis');
      const size = first?.shape.at(axis?.type === 'int' ? axis.value : 0) ?? 1;
      return ((first?.data.length ?? 0) / Math.max(1, size)) * (second?.data.length ?? 0);
    }
    case 'Range': {
      const [from, to, by] = inputs.map((input) => input?.data[0] ?? 0);
      return Math.max(0, (to! - from!) / by!) || 0;
    }
    case 'Concat':
      return inputs.reduce((sum, input) => sum + (input?.data.length ?? 0), 0);
    default:
      return broadcastCount(inputs);
  }
}

/** Elements of the common shape. */
function broadcastCount(inputs: readonly (Tensor | undefined)[]): number {
  const shapes = inputs.map((input) => input?.shape ?? []);
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  let count = 1;
  for (let i = 1; i <= rank; i++) count *= Math.max(...shapes.map((shape) => shape.at(-i) ?? 1));
  return count;
}
