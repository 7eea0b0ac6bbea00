// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { OnnxGraph } from './model.js';

/**
 * Checks that every tensor has one maker: a node, an input or an initializer. ONNX demands it, and a
 * reader that goes by names would take the wrong one.
 *
 * @throws ModelError `duplicate-value`
 */
export function requireSingleWriters({ nodes, inputs, initializers }: OnnxGraph): void {
  const makers = new Map<string, string>();
  for (const { name } of inputs) makers.set(name, 'the graph input');
  for (const name of initializers.keys()) makers.set(name, 'an initializer');
  for (const { name, op, outputs } of nodes) {
    for (const output of outputs) {
      if (output === '') continue;
      const maker = `node "${name === '' ? output : name}" (${op})`;
      const before = makers.get(output);
      if (before !== undefined) {
        throw new ModelError(
          'duplicate-value',
          `tensor "${output}"`,
          `expected one maker, got ${before} and ${maker}; give each tensor a name of its own`,
        );
      }
      makers.set(output, maker);
    }
  }
}
