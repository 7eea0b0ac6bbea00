// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { Graph } from '../../graph/graph.js';

/**
 * The convolutions that no batch norm was folded into by lastbit; what they write has to be derived
 * from their inputs.
 *
 * @throws ModelError `no-batch-norms` where they are more than half: most exporters fold batch
 *   norms away, and with them goes all that a file says about its activations
 */
export function requireNormalizations(graph: Graph): readonly string[] {
  const convolutions = graph.nodes.filter((node) => node.op === 'Conv').map(({ name }) => name);
  const without = convolutions.filter((name) => !graph.normalizations.has(name));
  const count = convolutions.length - without.length;
  if (2 * count >= convolutions.length && count > 0) return without;
  throw new ModelError(
    'no-batch-norms',
    `graph "${graph.name}"`,
    `--data-free reads ranges and means off batch norms, and ${count} of ${convolutions.length} ` +
      'convolutions have one (the exporter folded them); export the model with its batch norms, ' +
      'or give images (--calib DIR, or --images DIR of analyze)',
  );
}
