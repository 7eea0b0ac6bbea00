// SPDX-License-Identifier: Apache-2.0
// How weights and activations use one scale for the tensor, against one for each channel.
import { channelDecibels, rangeUse } from '../charts/index.js';
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { shortName } from '../text-table.js';
import { decibels, fixed, layerCell, missing, significant, whole, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import type { Block, Cell, Column, Fact, Section } from './section.js';

type Analysis = Labelled<'analyze'>;
type Layer = Analysis['document']['layers'][number];

export function rangesSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const analyses = resultsOf(network, 'analyze');
  if (analyses.length === 0) return undefined;
  const blocks = analyses.flatMap((analysis, i) => blocksOf(network, analysis, i, anchors));
  return { id: `${network.id}-ranges`, title: 'Ranges of channels and layers', blocks };
}

function blocksOf(
  network: Network,
  { document: { layers }, label }: Analysis,
  index: number,
  anchors: LayerAnchors,
): Block[] {
  const id = (name: string): string => `${network.id}-${name}-${index}`;
  const use = rangeUse(id('range-use'), layers.flatMap(useRows));
  const decibel = channelDecibels(id('channel-db'), layers.flatMap(decibelRows));
  const table = {
    id: id('range-table'),
    caption: `Ranges ${label}; w: weights with their batch norm folded in, a: activations, one scale for the tensor unless said otherwise`,
    interactive: true,
    columns: [
      { title: '#', align: 'right' as const },
      { title: 'layer' },
      { title: 'kind' },
      ...measures.map(({ title }): Column => ({ title, align: 'right' })),
    ],
    rows: layers.map((layer, i): readonly Cell[] => [
      { text: String(i + 1), sort: i + 1 },
      layerCell(layer.name, hrefOf(anchors, layer.name)),
      words(layer.kind),
      ...measures.map(({ cell }) => cell(layer)),
    ]),
  };
  return [
    { kind: 'chart', chart: decibel },
    { kind: 'chart', chart: use },
    { kind: 'table', table },
  ];
}

function useRows({ name, weights, activations }: Layer, index: number) {
  const row = (part: 'weights' | 'activations', share: number | undefined) =>
    share === undefined
      ? []
      : [
          {
            ...{ depth: index + 1, part, share },
            words: `${shortName(name)}, ${part}: channels use ${(100 * share).toFixed(0)} % of the range`,
          },
        ];
  return [
    ...row('weights', weights?.channelPrecision),
    ...row('activations', activations?.channelPrecision),
  ];
}

function decibelRows({ name, weights, activations }: Layer, index: number) {
  const layer = shortName(name);
  const row = (
    part: 'weights' | 'activations',
    scales: 'one scale a tensor' | 'one scale a channel',
    db: number | null | undefined,
  ) =>
    db === undefined || db === null
      ? []
      : [
          {
            ...{ depth: index + 1, layer, part, scales, db },
            words: `${layer}, ${part}, ${scales}: ${db.toFixed(1)} dB`,
          },
        ];
  return [
    ...row('weights', 'one scale a tensor', weights?.perTensor.medianChannelDb),
    ...row('weights', 'one scale a channel', weights?.perChannel.medianChannelDb),
    ...row('activations', 'one scale a tensor', activations?.medianChannelDb),
  ];
}

interface Measure {
  readonly title: string;
  readonly cell: (layer: Layer) => Cell;
}

const measures: readonly Measure[] = [
  { title: 'channels', cell: ({ channels }) => whole(channels) },
  { title: 'w range', cell: ({ weights }) => rangeCell(weights) },
  { title: 'w channels / layer', cell: ({ weights }) => fixed(weights?.channelPrecision, 2) },
  { title: 'w dB', cell: ({ weights }) => decibels(weights?.perTensor.medianChannelDb) },
  {
    title: 'w dB per channel',
    cell: ({ weights }) => decibels(weights?.perChannel.medianChannelDb),
  },
  { title: 'w channels lost', cell: ({ weights }) => whole(weights?.perTensor.lostChannels) },
  {
    title: 'largest factor',
    cell: ({ normalization }) => fixed(normalization?.largestAlpha, 1),
  },
  {
    title: 'without variance',
    cell: ({ normalization }) => whole(normalization?.zeroVariance),
  },
  { title: 'a range', cell: ({ activations }) => rangeCell(activations) },
  {
    title: 'a channels / layer',
    cell: ({ activations }) => fixed(activations?.channelPrecision, 2),
  },
  { title: 'a dB', cell: ({ activations }) => decibels(activations?.medianChannelDb) },
  { title: 'a at the clamp, %', cell: ({ activations }) => fixed(activations?.clampedPercent, 1) },
  { title: 'a constant', cell: ({ activations }) => whole(activations?.constantChannels) },
  {
    title: 'w noise, %',
    cell: ({ weights }) => fixed(weights?.noisePercent?.perTensor, 1),
  },
  {
    title: 'a noise, %',
    cell: ({ activations }) => fixed(activations?.noisePercent?.perTensor, 1),
  },
];

/** Sorted by its width. */
function rangeCell(range: { readonly min: number; readonly max: number } | undefined): Cell {
  if (range === undefined) return missing;
  const { min, max } = range;
  return { text: `${significant(min).text} to ${significant(max).text}`, sort: max - min };
}

/** What a card says of a layer. */
export function rangeFacts(layer: Layer): readonly Fact[] {
  return measures.map(({ title, cell }) => [title, cell(layer)] as const);
}
