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
    switch (node.op) {
      case 'Identity':
        return true;
      case 'Reshape':
        return sameShape(node.shape, shapeIn(graph, node.inputs[0]!));
      case 'Transpose':
        return node.perm.every((axis, i) => axis === i);
      case 'Pad':
        return [...node.begin, ...node.end].every((amount) => amount === 0);
      case 'Clamp':
        return isOpenClamp(node.clamp);
      default:
        return false;
    }
  });
