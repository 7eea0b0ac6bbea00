// SPDX-License-Identifier: Apache-2.0
import { convolutionsOf } from '../connections.js';
import { widenGraph } from '../widths.js';
import type { Step } from './step.js';

/** Some layers, or all, on 16-bit activations; wanted where that was asked for. */
export const activationWidthStep: Step = {
  name: 'activation-width',
  rewrites: true,
  wanted: ({ wideLayers }) => wideLayers === 'all' || wideLayers.size > 0,
  apply: ({ graph }, _, { wideLayers }) => {
    const all = convolutionsOf(graph).map(({ name }) => name);
    const layers = wideLayers === 'all' ? new Set(all) : wideLayers;
    const { graph: changed, wide } = widenGraph(graph, layers);
    const changes = changed.nodes.length - graph.nodes.length;
    return {
      state: { graph: changed, wide },
      changed:
        `16 bits in ${layers.size} of ${all.length} layers, ${wide.size} values; ` +
        `${changes} changes of width`,
    };
  },
};
