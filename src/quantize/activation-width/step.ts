// SPDX-License-Identifier: Apache-2.0
import { convolutionsOf } from '../network/connections.js';
import { optionStep, type Context } from '../schedule/step.js';
import { widenGraph } from './widths.js';

interface WideLayers {
  readonly layers: 'all' | ReadonlySet<string>;
}

/** Some layers, or all, on 16-bit activations; on where that was asked for. */
export const activationWidthStep = optionStep(askedFor, {
  name: 'activation-width',
  rewrites: true,
  apply: ({ graph }, _, { layers: chosen }) => {
    const all = convolutionsOf(graph).map(({ name }) => name);
    const layers = chosen === 'all' ? new Set(all) : chosen;
    const { graph: changed, wide } = widenGraph(graph, layers);
    const changes = changed.nodes.length - graph.nodes.length;
    return {
      state: { graph: changed, wide },
      changed:
        `16 bits in ${layers.size} of ${all.length} layers, ${wide.size} values; ` +
        `${changes} changes of width`,
    };
  },
});

function askedFor({ wideLayers: layers }: Context): false | WideLayers {
  return (layers === 'all' || layers.size > 0) && { layers };
}
