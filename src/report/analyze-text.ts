// SPDX-License-Identifier: Apache-2.0
import type { Finding, KindSummary, LayerDistribution } from '../analyze/index.js';
import type { AnalyzeDocument } from './documents.js';
import { factList, shortName, textTable, type Column } from './text-table.js';

export function analyzeText(document: AnalyzeDocument): string {
  const { layers, seenBy, images } = document;
  const activations = {
    images: `${images} images`,
    'data-free': 'batch norms',
    weights: 'not seen',
  };
  const facts = factList([
    ['model', document.model],
    ['activations', activations[seenBy]],
    ...document.notes.map((note) => ['note', note] as const),
  ]);
  const tables = [findingsText(document.findings), kindTable(document.kinds), layerTable(layers)];
  return [facts, ...tables.filter((table) => table !== ''), legend(seenBy)].join('\n');
}

function findingsText(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'nothing stands out\n';
  return findings
    .map(
      ({ what, layers, remedy }) => `* ${what}\n    in ${named(layers)}\n    remedy: ${remedy}\n`,
    )
    .join('');
}

/** The first few names, and how many more. */
function named(layers: readonly string[]): string {
  const shown = layers.slice(0, 4).map(shortName).join(', ');
  return layers.length > 4 ? `${shown} and ${layers.length - 4} more` : shown;
}

function kindTable(kinds: readonly KindSummary[]): string {
  return textTable(kinds, [
    { title: 'kind', value: ({ kind }) => kind },
    { title: 'layers', value: ({ layers }) => String(layers), align: 'right' },
    right('w precision', (one: KindSummary) => share(one.weightChannelPrecision)),
    right('w median dB', (one: KindSummary) => decibels(one.weightMedianChannelDb)),
    right('a precision', (one: KindSummary) => share(one.activationChannelPrecision)),
    right('a median dB', (one: KindSummary) => decibels(one.activationMedianChannelDb)),
  ]);
}

function layerTable(layers: readonly LayerDistribution[]): string {
  const weights: Column<LayerDistribution>[] = [
    right('w range', ({ weights: w }) => w && rangeText(w)),
    right('w prec', ({ weights: w }) => share(w?.channelPrecision)),
    right('w dB', ({ weights: w }) => w && decibels(w.perTensor.medianChannelDb)),
    right('pc', ({ weights: w }) => w && decibels(w.perChannel.medianChannelDb)),
    right('noise', ({ weights: w }) => percent(w?.noisePercent?.perTensor)),
    right('pc', ({ weights: w }) => percent(w?.noisePercent?.perChannel)),
    right('alpha', ({ normalization }) => normalization?.largestAlpha.toFixed(1)),
    right('var 0', ({ normalization }) => count(normalization?.zeroVariance)),
  ];
  const activations: Column<LayerDistribution>[] = [
    right('a range', ({ activations: a }) => a && rangeText(a)),
    right('a prec', ({ activations: a }) => share(a?.channelPrecision)),
    right('a dB', ({ activations: a }) => a && decibels(a.medianChannelDb)),
    right('noise', ({ activations: a }) => percent(a?.noisePercent?.perTensor)),
    right('pc', ({ activations: a }) => percent(a?.noisePercent?.perChannel)),
    right('clamped', ({ activations: a }) => percent(a?.clampedPercent)),
    right('const', ({ activations: a }) => count(a?.constantChannels)),
  ];
  const seen = layers.some((layer) => layer.activations !== undefined);
  return textTable(layers, [
    { title: 'layer', value: ({ name }) => shortName(name) },
    { title: 'kind', value: ({ kind }) => kind },
    ...weights.filter((column) => layers.some((layer) => column.value(layer) !== '')),
    ...(seen ? activations : []),
  ]);
}

function legend(seenBy: AnalyzeDocument['seenBy']): string {
  const lines = [
    'w: weights, batch norm folded in; prec: mean channel range / tensor range (1: all channels alike)',
    'dB: SQNR of the channel in the middle in 8 bits with one scale per tensor; pc: with one per channel',
    'alpha: largest batch-norm factor / the median one; var 0: channels without variance in training',
  ];
  const seen = [
    'noise: share of the noise of the scores in naive 8 bits, modelled, %; a: activations; clamped: % at the upper clamp',
    'const: channels that never change',
  ];
  return [...lines, ...(seenBy === 'weights' ? [] : seen)].map((line) => `${line}\n`).join('');
}

function right<Row>(title: string, value: (row: Row) => string | undefined): Column<Row> {
  return { title, value: (row) => value(row) ?? '', align: 'right' };
}

function rangeText({ min, max }: { readonly min: number; readonly max: number }): string {
  return `${min.toPrecision(3)} ${max.toPrecision(3)}`;
}

function share(value: number | undefined): string | undefined {
  return value?.toFixed(2);
}

function decibels(value: number | undefined): string {
  if (value === undefined) return '-';
  return value === Infinity ? 'exact' : value.toFixed(1);
}

function percent(value: number | undefined): string | undefined {
  return value?.toFixed(1);
}

function count(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
