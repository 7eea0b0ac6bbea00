// SPDX-License-Identifier: Apache-2.0
import { type Chart, chartOf, chartWidth, type Design, severity } from './chart.js';

/** Shares of differing codes, from none to most. */
export const shareClasses = ['equal', 'up to 0.1 %', 'up to 1 %', 'up to 10 %', 'more'] as const;

export interface DivergenceRow {
  readonly target: string;
  readonly depth: number;
  readonly where: 'alone' | 'in the network';
  readonly share: (typeof shareClasses)[number];
  readonly words: string;
}

const design: Design = {
  facet: {
    row: { field: 'where', type: 'nominal', title: null, sort: ['alone', 'in the network'] },
  },
  spec: {
    width: chartWidth - 120,
    height: { step: 24 },
    mark: { type: 'rect', stroke: 'var(--paper)', strokeWidth: 1 },
    encoding: {
      x: {
        field: 'depth',
        type: 'ordinal',
        title: 'operation, from input (0) to output',
        axis: { labelOverlap: true, labelAngle: 0 },
      },
      y: { field: 'target', type: 'nominal', title: null, sort: null },
      color: {
        field: 'share',
        type: 'ordinal',
        title: 'codes that differ',
        sort: [...shareClasses],
        scale: { domain: [...shareClasses], range: [...severity] },
      },
      description: { field: 'words' },
    },
  },
};

/** Where targets part: the share of codes that differ, by layer and target. */
export function divergence(id: string, reference: string, rows: readonly DivergenceRow[]): Chart {
  const title = `Codes that differ from ${reference}`;
  const description =
    'For each target and operation the share of codes that differ from the reference target, with every operation fed by the reference (alone) and in the running network.';
  return chartOf({ id, title, description }, design, rows);
}
