// SPDX-License-Identifier: Apache-2.0
import { indexOf, namer, outputOf, substitute } from '../graph/edit.js';
import type { Node, PadNode, Tensor } from '../graph/graph.js';
import { f32Tensor } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Writes a Pad of rows and columns with a value v other than zero as (x - v), a Pad with zeros,
 * and + v: padding with zeros is what integer layers know, and the two steps are folded into
 * layers next to it like any other constant. What a maximum takes in goes to `foldPads` before.
 * Equal in real arithmetic; float32 may round differently.
 */
export const expandPads: Pass = (graph) => {
  const index = indexOf(graph);
  const fresh = namer(graph);
  const changes = new Map<Node, readonly Node[]>();
  const constants: [string, Tensor][] = [];
  for (const node of graph.nodes) {
    if (node.op !== 'Pad' || node.value === 0 || !Number.isFinite(node.value)) continue;
    if (!isSpatial(node)) continue;
    const output = outputOf(node);
    if (index.consumers(output).some(({ op }) => op === 'MaxPool')) continue;
    const value = fresh(`${node.name}/value`);
    const [moved, padded] = [fresh(`${output}_moved`), fresh(`${output}_padded`)];
    constants.push([value, f32Tensor([], [node.value])]);
    changes.set(node, [
      {
        op: 'Sub',
        name: fresh(`${node.name}/before`),
        inputs: [node.inputs[0]!, value],
        outputs: [moved],
      },
      { ...node, inputs: [moved], outputs: [padded], value: 0 },
      { op: 'Add', name: fresh(`${node.name}/after`), inputs: [padded, value], outputs: [output] },
    ]);
  }
  return substitute(graph, changes, constants);
};

/** Whether a Pad adds rows and columns of an image alone. */
export function isSpatial({ begin, end }: PadNode): boolean {
  return begin.length === 4 && [begin[0], begin[1], end[0], end[1]].every((n) => n === 0);
}
