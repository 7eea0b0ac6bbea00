// SPDX-License-Identifier: Apache-2.0
import { layerCell, missing, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import type { Cell, Column } from './section.js';

/** One column of what a result says of an operation. */
export interface Measure<Layer> {
  readonly title: string;
  readonly align?: 'right';
  readonly cell: (layer: Layer) => Cell;
}

/** A result with its operations. */
interface Measured<Layer> {
  readonly label: string;
  readonly document: { readonly layers: readonly Layer[] };
}

/** A table of operations with the measures of each result side by side; several results under their labels. */
export function measuredLayers<Layer extends { readonly name: string; readonly op: string }>(
  { id, caption }: { readonly id: string; readonly caption: string },
  results: readonly Measured<Layer>[],
  measures: readonly Measure<Layer>[],
  anchors: LayerAnchors,
) {
  const several = results.length > 1;
  const columns: Column[] = [
    { title: '#', align: 'right' },
    { title: 'operation' },
    { title: 'op' },
    ...results.flatMap(({ label }) =>
      measures.map(({ title, align }) => ({
        ...{ title, ...(align ? { align } : {}) },
        ...(several ? { group: label } : {}),
      })),
    ),
  ];
  const names = new Set(results.flatMap(({ document }) => document.layers.map(({ name }) => name)));
  const byName = results.map(
    ({ document }) => new Map(document.layers.map((layer) => [layer.name, layer])),
  );
  const rows = Array.from(names, (name, index): readonly Cell[] => {
    const layers = byName.map((known) => known.get(name));
    return [
      { text: String(index + 1), sort: index + 1 },
      layerCell(name, hrefOf(anchors, name)),
      words(layers.find((layer) => layer !== undefined)?.op),
      ...layers.flatMap((layer) => measures.map(({ cell }) => (layer ? cell(layer) : missing))),
    ];
  });
  return { id, caption, interactive: true, columns, rows };
}
