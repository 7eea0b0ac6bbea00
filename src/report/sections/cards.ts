// SPDX-License-Identifier: Apache-2.0
// All that the results say of one layer, in one place.
import { type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { proofFacts } from './accumulators.js';
import { whole, words } from './cells.js';
import { divergenceFacts } from './divergence.js';
import { latencyFacts } from './latency.js';
import type { LayerAnchors } from './layer-names.js';
import { comparisonFacts } from './layers.js';
import { rangeFacts } from './ranges.js';
import type { Card, Fact } from './section.js';

type Group = Card['groups'][number];
/** The groups of facts that one result has of layers, by name. */
type Source = (name: string) => readonly Group[];

export function cardsOf(network: Network, anchors: LayerAnchors): readonly Card[] {
  const sources = sourcesOf(network);
  return [...anchors].map(([name, id]) => ({
    ...{ id, name },
    title: shortName(name),
    groups: sources.flatMap((source) => source(name)),
  }));
}

function sourcesOf(network: Network): readonly Source[] {
  return [
    shapes(network),
    ...resultsOf(network, 'compare').map(({ label, document }) =>
      source(`Error, ${label}`, document.layers, comparisonFacts),
    ),
    ...resultsOf(network, 'analyze').map(({ label, document }) =>
      source(`Ranges, ${label}`, document.layers, rangeFacts),
    ),
    ...resultsOf(network, 'diff').map(({ document: { layers, targets } }): Source => {
      const known = byName(layers);
      return (name) => {
        const layer = known.get(name);
        if (layer === undefined) return [];
        return divergenceFacts(layer).map(({ target, facts }) => ({
          title: `${target} against ${targets[0]!}`,
          facts,
        }));
      };
    }),
    ...resultsOf(network, 'prove').map(({ label, document }) =>
      source(`Accumulator, ${label}`, document.layers, proofFacts),
    ),
    ...resultsOf(network, 'bench').map(({ label, document }) =>
      source(`Time, ${label}`, document.layers, latencyFacts),
    ),
  ];
}

function source<Layer extends { readonly name: string }>(
  title: string,
  layers: readonly Layer[],
  factsOf: (layer: Layer) => readonly Fact[],
): Source {
  const known = byName(layers);
  return (name) => {
    const layer = known.get(name);
    return layer === undefined ? [] : [{ title, facts: factsOf(layer) }];
  };
}

/** Operator, shape and work, from the first result that has the network. */
function shapes({ results }: Network): Source {
  const lists = results.flatMap(({ document }) =>
    'network' in document && document.network !== undefined ? [document.network] : [],
  );
  const known = byName(lists.flat());
  return (name) => {
    const layer = known.get(name);
    if (layer === undefined) return [];
    const facts: Fact[] = [
      ['operator', words(layer.op)],
      ['output', words(layer.shape.join(' x '))],
      ['multiply-accumulates', whole(layer.macs)],
      ['reads', words(layer.inputs.map(shortName).join(', ') || "the network's input")],
    ];
    return [{ title: 'Operation', facts }];
  };
}

function byName<Layer extends { readonly name: string }>(
  layers: readonly Layer[],
): ReadonlyMap<string, Layer> {
  return new Map(layers.map((layer) => [layer.name, layer]));
}
