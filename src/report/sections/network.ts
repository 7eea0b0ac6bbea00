// SPDX-License-Identifier: Apache-2.0
// The network as a picture of its layers, coloured by what a result says of each.
import { type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { decibels } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import type { Block, Graph, GraphNode, Section } from './section.js';

type Layers = NonNullable<ReturnType<typeof resultsOf<'compare'>>[number]['document']['network']>;

/** How a picture is coloured. */
interface Coloring {
  readonly label: string;
  readonly layers: Layers | undefined;
  readonly legend: readonly string[];
  readonly ofLayer: (
    name: string,
  ) => { readonly severity: number; readonly words: string } | undefined;
}

export function networkSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const graphs = coloringsOf(network).flatMap((coloring, index): Block[] => {
    const { layers } = coloring;
    if (layers === undefined || layers.length === 0) return [];
    const graph = graphOf(`${network.id}-graph-${index}`, coloring, layers, anchors);
    return [{ kind: 'graph', graph }];
  });
  if (graphs.length === 0) return undefined;
  return { id: `${network.id}-network`, title: 'The network', blocks: graphs };
}

/** Errors where there are some, else differences, else accumulators, else times. */
function coloringsOf(network: Network): readonly Coloring[] {
  const candidates = [
    byError(network),
    byDifference(network),
    byBits(network),
    byTime(network),
  ].filter((colorings) => colorings.length > 0);
  return candidates[0] ?? [];
}

const explanation =
  'A line for each resolution, a box for each operation, as wide as its multiply-accumulates; blue lines skip operations. Choose a box for all that is known of it.';

function graphOf(
  id: string,
  { label, legend, ofLayer }: Coloring,
  layers: Layers,
  anchors: LayerAnchors,
): Graph {
  const nodes = layers.map(({ name, op, inputs, shape, macs }): GraphNode => {
    const found = ofLayer(name);
    const [height, width, channels] = shape;
    const size = `${height} x ${width} x ${channels}`;
    const said = found?.words ?? 'no figure in the document';
    return {
      ...{ name, inputs, macs },
      label: shortName(name),
      words: `${shortName(name)}, ${op}, ${size}: ${said}`,
      href: hrefOf(anchors, name) ?? '#',
      severity: found?.severity,
      resolution: `${height} x ${width}`,
    };
  });
  return { id, caption: label, explanation, legend, nodes };
}

/** Limits in dB, from harmless to grave. */
const decibelLimits = [40, 30, 20, 10];

function byError(network: Network): readonly Coloring[] {
  return resultsOf(network, 'compare').map(({ label, document }) => {
    const layers = new Map(document.layers.map((layer) => [layer.name, layer]));
    return {
      label: `Error in the running network, ${label}`,
      layers: document.network,
      legend: ['40 dB or more', '30 to 40', '20 to 30', '10 to 20', 'less than 10 dB'],
      ofLayer: (name) => {
        const layer = layers.get(name);
        if (layer === undefined) return undefined;
        const { sqnrDb } = layer;
        const index = sqnrDb === null ? 0 : decibelLimits.findIndex((limit) => sqnrDb >= limit);
        const severity = index < 0 ? decibelLimits.length : index;
        return { severity, words: sqnrDb === null ? 'exact' : `${decibels(sqnrDb).text} dB` };
      },
    };
  });
}

function byDifference(network: Network): readonly Coloring[] {
  return resultsOf(network, 'diff').map(({ label, document }) => {
    const layers = new Map(document.layers.map((layer) => [layer.name, layer]));
    return {
      label: `Codes that differ in the running network, ${label}`,
      layers: document.network,
      legend: ['equal', 'up to 0.1 %', 'up to 1 %', 'up to 10 %', 'more'],
      ofLayer: (name) => {
        const counts = layers.get(name)?.others.map(({ accumulated }) => accumulated) ?? [];
        const shares = counts.map(({ differing, elements }) => differing / Math.max(elements, 1));
        if (shares.length === 0) return undefined;
        const share = Math.max(...shares);
        const severity = share === 0 ? 0 : [0.001, 0.01, 0.1, 1].findIndex((x) => share <= x) + 1;
        return { severity, words: `${(100 * share).toFixed(2)} % of the codes differ` };
      },
    };
  });
}

function byBits(network: Network): readonly Coloring[] {
  return resultsOf(network, 'prove').map(({ label, document }) => {
    const layers = new Map(document.layers.map((layer) => [layer.name, layer]));
    return {
      label: `Accumulators, ${label}`,
      layers: document.network,
      legend: ['holds', '', '', '', 'can overflow'],
      ofLayer: (name) => {
        const layer = layers.get(name);
        if (layer === undefined) return undefined;
        const { ok, bitsNeeded, bitsHave } = layer;
        return { severity: ok ? 0 : 4, words: `${bitsNeeded} bits needed, ${bitsHave} there` };
      },
    };
  });
}

function byTime(network: Network): readonly Coloring[] {
  return resultsOf(network, 'bench').map(({ label, document }) => {
    const layers = new Map(document.layers.map((layer) => [layer.name, layer]));
    const total = document.layers.reduce((sum, { ms }) => sum + ms, 0);
    return {
      label: `Time, ${label}`,
      layers: document.network,
      legend: ['under 1 % of the time', '1 to 3 %', '3 to 5 %', '5 to 10 %', '10 % or more'],
      ofLayer: (name) => {
        const layer = layers.get(name);
        if (layer === undefined) return undefined;
        const share = layer.ms / total;
        const severity = [0.01, 0.03, 0.05, 0.1].filter((limit) => share >= limit).length;
        return { severity, words: `${layer.ms.toFixed(3)} ms, ${(100 * share).toFixed(1)} %` };
      },
    };
  });
}
