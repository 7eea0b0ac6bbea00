// SPDX-License-Identifier: Apache-2.0
import { isOpenClamp } from '../graph/clamps.js';
import { bypass, shapeIn } from '../graph/edit.js';
import { sameShape } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Removes nodes that change nothing: Identity (also what Dropout became), reshapes to the same
 * shape, transposes in order, padding by nothing, clamps without bounds. Exact.
 */
export const removeIdle: Pass = (graph) =>
  bypass(graph, (node) => {
    if (node.op === 'Identity') return true;
    if (node.op === 'Reshape') return sameShape(node.shape, shapeIn(graph, node.inputs[0]!));
    if (node.op === 'Transpose') return node.perm.every((axis, i) => axis === i);
    if (node.op === 'Pad') return [...node.begin, ...node.end].every((amount) => amount === 0);
    return node.op === 'Clamp' && isOpenClamp(node.clamp);
  });
