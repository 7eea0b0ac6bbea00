// SPDX-License-Identifier: Apache-2.0
import type { NoiseModel } from '../noise/noise-model.js';
import type { ChannelGroup } from './channel-groups.js';
import type { Term } from './clamp-mismatch.js';
import type { NoiseOptions } from './noise-options.js';
import { rowTerm } from './row-term.js';
import { tensorTerm } from './tensor-term.js';
import { valueTerm } from './value-term.js';

/** The modelled noise of all weights and activations, as a sum. */
export function noiseTerms(
  model: NoiseModel,
  groups: readonly ChannelGroup[],
  options: NoiseOptions,
): Term[] {
  return [...layerTerms(model, groups, options), ...valueTerms(model, groups, options)];
}

function layerTerms(
  model: NoiseModel,
  groups: readonly ChannelGroup[],
  options: NoiseOptions,
): Term[] {
  const written = new Map<string, number>();
  const read = new Map<string, number>();
  groups.forEach((group, g) => {
    for (const conv of group.writers) written.set(conv.name, g);
    for (const conv of group.readers) read.set(conv.name, g);
  });
  return model.layers.map((layer) => {
    const places = { written: written.get(layer.conv.name), read: read.get(layer.conv.name) };
    return options.perChannelWeights
      ? rowTerm(layer, places, options)
      : tensorTerm(layer, places, options);
  });
}

function valueTerms(
  model: NoiseModel,
  groups: readonly ChannelGroup[],
  options: NoiseOptions,
): Term[] {
  const groupOf = new Map(groups.flatMap((group, g) => group.values.map((value) => [value, g])));
  return model.values.flatMap((value): Term[] => {
    const g = groupOf.get(value.value);
    return g === undefined ? [] : [valueTerm(value, g, options)];
  });
}
