// SPDX-License-Identifier: Apache-2.0
// Layers that a model's metadata name for what their shapes do not tell.
import { ModelError } from '../../errors.js';
import type { QuantMetadata } from '../../graph/quant-graph.js';

/**
 * The layers that one of the lists in the metadata names.
 *
 * @throws ModelError where the metadata are no list of names
 */
export function namesIn(
  metadata: QuantMetadata,
  key: 'oddWeightAxes' | 'oneChannelDepthwise' | 'rowMeans',
): readonly string[] {
  const list = metadata[key];
  if (list === undefined) return [];
  try {
    const names: unknown = JSON.parse(list);
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  } catch {
    // Said below.
  }
  throw new ModelError(
    'bad-metadata',
    `metadata "lastbit.${key}"`,
    'expected a JSON list of layer names; convert the .tflite file again',
  );
}
