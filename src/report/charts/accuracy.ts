// SPDX-License-Identifier: Apache-2.0
import { type Chart, chartOf, chartWidth, type Design, series } from './chart.js';

export interface AccuracyRow {
  readonly result: string;
  readonly what: 'float' | 'integers';
  readonly top1: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly words: string;
}

const design: Design = {
  width: chartWidth - 160,
  height: { step: 34 },
  encoding: {
    y: { field: 'result', type: 'nominal', title: null, sort: null },
    color: {
      field: 'what',
      type: 'nominal',
      title: null,
      scale: { domain: ['float', 'integers'], range: [series[1], series[0]] },
    },
  },
  layer: [
    {
      mark: { type: 'rule', strokeWidth: 2, aria: false },
      encoding: {
        x: {
          field: 'low',
          type: 'quantitative',
          title: 'top-1, % (bar: 95 % interval)',
          scale: { domain: [0, 100] },
        },
        x2: { field: 'high' },
      },
    },
    {
      mark: { type: 'point', filled: true, size: 90, opacity: 1 },
      encoding: {
        x: { field: 'top1', type: 'quantitative' },
        shape: {
          field: 'what',
          type: 'nominal',
          title: null,
          scale: { domain: ['float', 'integers'], range: ['diamond', 'circle'] },
        },
        description: { field: 'words' },
      },
    },
  ],
};

/** Top-1 of each result with its interval, beside float. */
export function accuracy(id: string, rows: readonly AccuracyRow[]): Chart {
  const title = 'Top-1';
  const description =
    'Top-1 accuracy in percent of each result with its 95 % interval, and of float.';
  return chartOf({ id, title, description }, design, rows);
}
