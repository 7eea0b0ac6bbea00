// SPDX-License-Identifier: Apache-2.0
// Yun and Wong 2021, "Do All MobileNets Quantize Poorly?", arXiv 2104.11849. No table of it is public but
// one line (MobileNetV1 on ImageNet, 71.04 to 3.00 %): its claims are tested as hypotheses, on pairs of a
// separable net and a regular one of the same depth.
import type { Claim, ExperimentTable } from './document.js';
import {
  changes,
  isSeparable,
  runOf,
  type MeasuredNet,
  type QuantizedRun,
} from './measured-net.js';
import { directed, paired95, welch95, type Estimate } from './statistics.js';
import { accuracyTable, errorTable, layerTable } from './tables.js';

/** Schemes of this experiment, one scale per tensor throughout. */
export const yunWongSchemes = [
  { scheme: '8 bits', target: 'sheng2018', weightBits: 8 },
  { scheme: '5 bits', target: 'pow2', weightBits: 5 },
  { scheme: '4 bits', target: 'tflm', weightBits: 4 },
] as const;

export const yunWongNets = ['separable', 'regular', 'separable_seed2', 'regular_seed2'] as const;

export function yunWongResult(nets: readonly MeasuredNet[]): {
  readonly claims: readonly Claim[];
  readonly tables: readonly ExperimentTable[];
} {
  const separable = nets.filter(isSeparable);
  const regular = nets.filter((net) => !isSeparable(net));
  return {
    claims: [
      ...yunWongSchemes.map(({ scheme }) => lossClaim(separable, regular, scheme)),
      fluctuation(separable, regular),
      mismatch(separable, regular, 'weights'),
      mismatch(separable, regular, 'activations'),
      accumulation(separable, regular),
    ],
    tables: [accuracyTable(nets), layerTable(nets), errorTable(nets)],
  };
}

const noPair = 'it takes a separable net and a regular one, quantized alike';

/** What each image loses, averaged over the nets of a kind. */
function meanChanges(nets: readonly MeasuredNet[], scheme: string): number[] | undefined {
  const runs = nets.flatMap((net) => runOf(net, scheme) ?? []);
  if (runs.length === 0) return undefined;
  const all = runs.map(changes);
  return all[0]!.map((_, i) => all.reduce((sum, one) => sum + one[i]!, 0) / all.length);
}

function lossClaim(
  separable: readonly MeasuredNet[],
  regular: readonly MeasuredNet[],
  scheme: string,
): Claim {
  const [a, b] = [meanChanges(separable, scheme), meanChanges(regular, scheme)];
  const words = {
    id: `loss-${scheme.replace(' ', '-')}`,
    statement: `With ${scheme} and one scale per tensor a separable net loses more than its regular twin`,
    measurement: 'points of top-1 that the separable nets lose beyond the regular ones',
    unit: 'points',
    statistic:
      "Student's interval over images: change of the separable nets minus change of the regular ones",
  };
  const estimate = a && b && paired95(a.map((change, i) => b[i]! - change));
  return directed(words, estimate, 1, noPair);
}

/** Values of one measure over all layers of some nets. */
function over(
  nets: readonly MeasuredNet[],
  measure: (layer: MeasuredNet['layers'][number]) => number | undefined,
): number[] {
  return nets.flatMap((net) => net.layers.flatMap((layer) => measure(layer) ?? []));
}

function between(
  separable: readonly MeasuredNet[],
  regular: readonly MeasuredNet[],
  measure: (layer: MeasuredNet['layers'][number]) => number | undefined,
): Estimate | undefined {
  return welch95(over(separable, measure), over(regular, measure));
}

function fluctuation(separable: readonly MeasuredNet[], regular: readonly MeasuredNet[]): Claim {
  const words = {
    id: 'range-fluctuation',
    statement: 'Ranges of activations fluctuate more from layer to layer in separable nets',
    measurement: 'mean |log2(range of a layer / range of its input)|, separable minus regular',
    unit: 'octaves',
    statistic: "Welch's interval over layers",
  };
  const measure = ({ activations }: MeasuredNet['layers'][number]) =>
    activations?.rangeChange === undefined || activations.rangeChange <= 0
      ? undefined
      : Math.abs(Math.log2(activations.rangeChange));
  return directed(words, between(separable, regular, measure), 1, noPair);
}

function mismatch(
  separable: readonly MeasuredNet[],
  regular: readonly MeasuredNet[],
  of: 'weights' | 'activations',
): Claim {
  const words = {
    id: `channel-mismatch-${of}`,
    statement: `Ranges of single channels and of the whole tensor differ more in depthwise layers (${of})`,
    measurement:
      'mean channel precision (range of a channel / range of the tensor), depthwise layers minus regular 3 x 3 ones',
    unit: 'share',
    statistic: "Welch's interval over layers",
  };
  const precisions = (nets: readonly MeasuredNet[], kind: string) =>
    over(nets, (layer) => (layer.kind === kind ? layer[of]?.channelPrecision : undefined));
  const estimate = welch95(precisions(separable, 'depthwise'), precisions(regular, 'convolution'));
  return directed(words, estimate, -1, noPair);
}

function accumulation(separable: readonly MeasuredNet[], regular: readonly MeasuredNet[]): Claim {
  const words = {
    id: 'accumulation',
    statement: 'Errors of activations accumulate more over the depth of a separable net',
    measurement:
      'dB that a layer loses through its predecessors (isolated minus accumulated SQNR, 8 bits), separable minus regular',
    unit: 'dB',
    statistic: "Welch's interval over convolutions",
  };
  const lost = (nets: readonly MeasuredNet[]) =>
    nets.flatMap((net) => accumulatedLosses(runOf(net, '8 bits')));
  return directed(words, welch95(lost(separable), lost(regular)), 1, noPair);
}

function accumulatedLosses(run: QuantizedRun | undefined): number[] {
  return (run?.layers ?? []).flatMap(({ isolatedDb, accumulatedDb }) =>
    isolatedDb === null || accumulatedDb === null ? [] : [isolatedDb - accumulatedDb],
  );
}
