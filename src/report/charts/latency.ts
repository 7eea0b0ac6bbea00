// SPDX-License-Identifier: Apache-2.0
import { type Chart, chartOf, chartWidth, type Design, series } from './chart.js';

export interface LatencyRow {
  readonly result: string;
  readonly depth: number;
  readonly op: string;
  readonly ms: number;
  readonly words: string;
}

/** @param results in the order of their rows */
const design = (results: readonly string[]): Design => ({
  facet: { row: { field: 'result', type: 'nominal', title: null, sort: results } },
  spec: {
    width: chartWidth,
    height: 150,
    mark: { type: 'bar' },
    encoding: {
      x: {
        field: 'depth',
        type: 'ordinal',
        title: 'operation, from input to output',
        axis: { labelOverlap: true, labelAngle: 0 },
      },
      y: { field: 'ms', type: 'quantitative', title: 'ms' },
      color: { field: 'op', type: 'nominal', title: null, sort: null, scale: { range: series } },
      description: { field: 'words' },
    },
  },
});

/** Median time of each operation. */
export function latency(id: string, rows: readonly LatencyRow[]): Chart {
  const title = 'Time by operation';
  const description = 'Median milliseconds of each operation from input to output.';
  return chartOf(
    { id, title, description },
    design([...new Set(rows.map(({ result }) => result))]),
    rows,
  );
}
