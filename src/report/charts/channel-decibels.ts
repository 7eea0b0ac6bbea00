// SPDX-License-Identifier: Apache-2.0
import { type Chart, chartOf, chartWidth, type Design, series } from './chart.js';

export interface ChannelRow {
  readonly depth: number;
  readonly layer: string;
  readonly part: 'weights' | 'activations';
  readonly scales: 'one scale a tensor' | 'one scale a channel';
  readonly db: number;
  readonly words: string;
}

const design: Design = {
  facet: { row: { field: 'part', type: 'nominal', title: null, sort: ['weights', 'activations'] } },
  spec: {
    width: chartWidth,
    height: 170,
    encoding: {
      x: {
        field: 'depth',
        type: 'quantitative',
        title: 'layer, from input to output',
        axis: { tickMinStep: 1, grid: false },
        scale: { nice: false, padding: 6, zero: false },
      },
    },
    layer: [
      {
        mark: { type: 'rule', opacity: 0.5, aria: false },
        encoding: {
          y: { field: 'db', aggregate: 'min', type: 'quantitative' },
          y2: { field: 'db', aggregate: 'max' },
        },
      },
      {
        mark: { type: 'point', filled: true, size: 40, opacity: 1 },
        encoding: {
          y: {
            field: 'db',
            type: 'quantitative',
            title: 'channel in the middle, dB',
            scale: { zero: false },
          },
          color: {
            field: 'scales',
            type: 'nominal',
            title: null,
            scale: {
              domain: ['one scale a tensor', 'one scale a channel'],
              range: [series[1], series[0]],
            },
          },
          shape: {
            field: 'scales',
            type: 'nominal',
            title: null,
            scale: {
              domain: ['one scale a tensor', 'one scale a channel'],
              range: ['circle', 'diamond'],
            },
          },
          description: { field: 'words' },
        },
      },
    ],
  },
};

/** What 8 bits leave of the channel in the middle, with one scale for the tensor and with one for each channel. */
export function channelDecibels(id: string, rows: readonly ChannelRow[]): Chart {
  const title = 'Channel in the middle in 8 bits: one scale a tensor against one a channel';
  const description =
    'For each layer the SQNR in decibels that the median channel keeps in 8 bits; the gap between both points is what scales per channel would win.';
  return chartOf({ id, title, description }, design, rows);
}
