// SPDX-License-Identifier: Apache-2.0
import type { OnnxNode } from './model.js';

/**
 * The nodes with each behind what makes its inputs, else as they stand. ONNX demands that order; runtimes sort
 * by themselves, and some tools append nodes at the end. Nodes of a circle come last, as they stand.
 */
export function inOrder(nodes: readonly OnnxNode[]): readonly OnnxNode[] {
  const makers = new Map(
    nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)),
  );
  const placed = new Set<OnnxNode>();
  const sorted: OnnxNode[] = [];
  for (const node of nodes) place(node, makers, placed, sorted);
  return sorted;
}

/** Places what a node waits for, then the node itself; without recursion, since chains are long. */
function place(
  last: OnnxNode,
  makers: ReadonlyMap<string, OnnxNode>,
  placed: Set<OnnxNode>,
  sorted: OnnxNode[],
): void {
  const open = new Set([last]);
  const stack = [last];
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    const waiting = placed.has(node)
      ? undefined
      : node.inputs
          .map((name) => (name === '' ? undefined : makers.get(name)))
          .find((maker) => maker !== undefined && !placed.has(maker) && !open.has(maker));
    if (waiting !== undefined) {
      open.add(waiting);
      stack.push(waiting);
      continue;
    }
    stack.pop();
    if (placed.has(node)) continue;
    placed.add(node);
    sorted.push(node);
  }
}
