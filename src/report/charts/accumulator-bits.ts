// SPDX-License-Identifier: Apache-2.0
import { type Chart, chartOf, chartWidth, type Design, series, severity } from './chart.js';

export interface BitsRow {
  readonly result: string;
  readonly depth: number;
  readonly needed: number;
  readonly have: number;
  readonly verdict: 'holds' | 'can overflow';
  readonly words: string;
}

/** @param results in the order of their rows */
const design = (results: readonly string[]): Design => ({
  facet: { row: { field: 'result', type: 'nominal', title: null, sort: results } },
  spec: {
    width: chartWidth,
    height: 170,
    encoding: {
      x: {
        field: 'depth',
        type: 'ordinal',
        title: 'operation, from input to output',
        axis: { labelOverlap: true, labelAngle: 0 },
      },
    },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: {
          y: { field: 'needed', type: 'quantitative', title: 'bits' },
          color: {
            field: 'verdict',
            type: 'nominal',
            title: 'bits needed; line: bits there are',
            scale: { domain: ['holds', 'can overflow'], range: [series[0], severity[4]] },
          },
          description: { field: 'words' },
        },
      },
      {
        mark: { type: 'tick', thickness: 2, color: 'var(--ink)', aria: false },
        encoding: { y: { field: 'have', type: 'quantitative' } },
      },
    ],
  },
});

/** Bits that each accumulator can need over all images, beside those that the target has. */
export function accumulatorBits(id: string, rows: readonly BitsRow[]): Chart {
  const title = 'Accumulators: bits needed and bits there are';
  const description =
    'For each operation the width that its accumulator needs whatever the image, and a line at the width that the target has.';
  return chartOf(
    { id, title, description },
    design([...new Set(rows.map(({ result }) => result))]),
    rows,
  );
}
