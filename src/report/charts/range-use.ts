// SPDX-License-Identifier: Apache-2.0
import { type Chart, chartOf, chartWidth, type Design, series } from './chart.js';

export interface RangeRow {
  readonly depth: number;
  readonly part: 'weights' | 'activations';
  /** Mean channel range / tensor range, 0 to 1. */
  readonly share: number;
  readonly words: string;
}

const design: Design = {
  facet: { row: { field: 'part', type: 'nominal', title: null, sort: ['weights', 'activations'] } },
  spec: {
    width: chartWidth,
    height: 110,
    mark: { type: 'bar', width: { band: 0.7 } },
    encoding: {
      x: {
        field: 'depth',
        type: 'ordinal',
        title: 'layer, from input to output',
        axis: { labelOverlap: true, labelAngle: 0 },
      },
      y: {
        field: 'share',
        type: 'quantitative',
        title: 'share of the range',
        scale: { domain: [0, 1] },
      },
      color: {
        field: 'part',
        type: 'nominal',
        legend: null,
        scale: { range: [series[0], series[2]] },
      },
      description: { field: 'words' },
    },
  },
};

/** How much of a tensor's range its channels use on average. */
export function rangeUse(id: string, rows: readonly RangeRow[]): Chart {
  const title = 'Range of the channels / range of the layer';
  const description =
    "For each layer the mean range of its channels as a share of the tensor's range: near 0 most channels get few of the levels that one scale offers.";
  return chartOf({ id, title, description }, design, rows);
}
