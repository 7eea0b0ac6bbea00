// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { Node, Tensor } from '../../graph/graph.js';

/**
 * Checks that a node's constants are finite.
 *
 * @throws ModelError `non-finite-weights`, naming layer, weight, element and channel
 */
export function checkWeights(node: Node, constants: ReadonlyMap<string, Tensor>): void {
  for (const name of node.inputs) {
    const tensor = constants.get(name);
    if (tensor === undefined) continue;
    const at = firstNonFinite(tensor.data);
    if (at < 0) continue;
    const channels = tensor.shape[0] ?? 1;
    const channel = Math.floor(at / (tensor.data.length / channels));
    throw new ModelError(
      'non-finite-weights',
      `node "${node.name}"`,
      `expected finite weights, got ${tensor.data[at]} in "${name}" at element ${at} ` +
        `(channel ${channel}); the checkpoint is damaged or training diverged`,
    );
  }
}

function firstNonFinite(data: Tensor['data']): number {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) return i;
  }
  return -1;
}
