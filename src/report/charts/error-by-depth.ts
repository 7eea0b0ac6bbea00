// SPDX-License-Identifier: Apache-2.0
import { type Chart, chartOf, chartWidth, type Design, series } from './chart.js';

export interface ErrorRow {
  readonly result: string;
  readonly depth: number;
  readonly layer: string;
  readonly where: 'in the network' | 'alone';
  readonly db: number;
  /** For the tooltip. */
  readonly words: string;
}

const x = {
  field: 'depth',
  type: 'quantitative',
  title: 'operation, from input to output',
  axis: { tickMinStep: 1, grid: false },
  scale: { nice: false, padding: 6, zero: false },
} as const;
const y = {
  field: 'db',
  type: 'quantitative',
  title: 'SQNR, dB (higher is better)',
  scale: { zero: false },
} as const;
const color = {
  field: 'result',
  type: 'nominal',
  title: null,
  sort: null,
  scale: { range: series },
} as const;

const design: Design = {
  width: chartWidth,
  height: 260,
  encoding: {
    x,
    y,
    color,
    opacity: {
      field: 'where',
      type: 'nominal',
      title: null,
      sort: ['in the network', 'alone'],
      scale: { domain: ['in the network', 'alone'], range: [1, 0.45] },
    },
  },
  layer: [
    {
      transform: [{ filter: "datum.where === 'in the network'" }],
      mark: { type: 'line', strokeWidth: 2, aria: false },
    },
    {
      mark: { type: 'point', filled: true, size: 36 },
      encoding: {
        shape: {
          field: 'where',
          type: 'nominal',
          title: null,
          sort: null,
          scale: { domain: ['in the network', 'alone'], range: ['circle', 'triangle-up'] },
        },
        description: { field: 'words' },
      },
    },
  ],
};

/** How the error grows from layer to layer, and what each layer does alone. */
export function errorByDepth(id: string, rows: readonly ErrorRow[]): Chart {
  const title = 'Error over depth';
  const description =
    'SQNR of each layer in decibels from input to output: as a line in the running network, as triangles for each layer alone on the float input.';
  return chartOf({ id, title, description }, design, rows);
}
