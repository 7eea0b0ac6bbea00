// SPDX-License-Identifier: Apache-2.0
import type { Distributions, LayerDistribution } from './layers.js';

/** Something that makes a network quantize badly, and what is done about it. */
export interface Finding {
  /** In kebab-case, for scripts. */
  readonly code: string;
  readonly layers: readonly string[];
  readonly what: string;
  readonly remedy: string;
}

/** Factors this many times the layer's median one are outliers, as in the step `repair-variance`. */
const outlierAlpha = 10;
/** Half of the channels below this many levels' worth of SQNR, dB, are as good as 3 bits. */
const fewLevelsDb = 20;
/** Share of the scores' noise from one place that is worth naming, %. */
const largeShare = 10;
/** Values at the upper clamp, %, from which the clamp carries information. */
const manyClamped = 1;

/** What stands out, the gravest first; empty where 8 bits per tensor should do. */
export function findingsOf({ layers }: Pick<Distributions, 'layers'>): Finding[] {
  return rules
    .map(({ applies, ...rule }) => ({ ...rule, found: layers.filter(applies) }))
    .filter(({ found }) => found.length > 0)
    .map(({ code, remedy, what, found }) => ({
      code,
      layers: found.map(({ name }) => name),
      what: what(found),
      remedy,
    }));
}

interface Rule {
  readonly code: string;
  readonly applies: (layer: LayerDistribution) => boolean;
  readonly what: (found: readonly LayerDistribution[]) => string;
  readonly remedy: string;
}

const rules: readonly Rule[] = [
  {
    code: 'zero-variance-channels',
    applies: ({ normalization }) => (normalization?.zeroVariance ?? 0) > 0,
    what: (found) => {
      const channels = sum(found, ({ normalization }) => normalization!.zeroVariance);
      return `${channels} channels were never on in training: folding blew up their weights`;
    },
    remedy: 'step repair-variance (in recipe best)',
  },
  {
    code: 'outlier-factors',
    applies: ({ normalization }) => (normalization?.largestAlpha ?? 0) > outlierAlpha,
    what: (found) => {
      const largest = Math.max(...found.map(({ normalization }) => normalization!.largestAlpha));
      return `batch-norm factors up to ${largest.toFixed(0)} x their layer's median stretch its weights`;
    },
    remedy: 'step equalize (in recipe best), or one weight scale per channel',
  },
  {
    code: 'weights-lost-per-tensor',
    applies: ({ weights }) => (weights?.perTensor.lostChannels ?? 0) > 0,
    what: (found) => {
      const lost = sum(found, ({ weights }) => weights!.perTensor.lostChannels);
      return `${lost} channels of weights become zero in 8 bits with one scale per tensor`;
    },
    remedy: 'step equalize (in recipe best), or one weight scale per channel',
  },
  {
    code: 'weights-coarse-per-tensor',
    applies: ({ weights }) => (weights?.perTensor.medianChannelDb ?? Infinity) < fewLevelsDb,
    what: () =>
      `half of the channels or more keep less than ${fewLevelsDb} dB of their weights with one scale per tensor`,
    remedy: 'step equalize (in recipe best), or one weight scale per channel',
  },
  {
    code: 'activations-coarse',
    applies: ({ activations }) => (activations?.medianChannelDb ?? Infinity) < fewLevelsDb,
    what: () =>
      `half of the channels or more keep less than ${fewLevelsDb} dB: a few channels stretch the range`,
    remedy: 'step equalize (in recipe best); --activation-bits 16 where a layer needs it',
  },
  {
    code: 'noise-from-weights',
    applies: ({ weights }) => (weights?.noisePercent?.perTensor ?? 0) > largeShare,
    what: (found) =>
      `${shares(found, (layer) => layer.weights)} of the modelled noise of the scores, one weight scale per tensor`,
    remedy: 'one weight scale per channel, or --auto to spend bits there',
  },
  {
    code: 'noise-from-activations',
    applies: ({ activations }) => (activations?.noisePercent?.perChannel ?? 0) > largeShare,
    what: (found) =>
      `${shares(found, (layer) => layer.activations, 'perChannel')} of the modelled noise of the scores, even with weight scales per channel`,
    remedy: '--ranges mse (in recipe best), --activation-bits 16 where the target has them',
  },
  {
    code: 'clamp-carries-signal',
    applies: ({ activations }) => (activations?.clampedPercent ?? 0) > manyClamped,
    what: (found) => {
      const largest = Math.max(...found.map(({ activations }) => activations!.clampedPercent!));
      return `up to ${largest.toFixed(1)} % of the values lie at the clamp: replacing ReLU6 by ReLU changes the network`;
    },
    remedy:
      'keep the clamp; a target with a clamp per channel (q31-pc) equalizes without touching it',
  },
  {
    code: 'dead-channels',
    applies: ({ activations }) => (activations?.constantChannels ?? 0) > 0,
    what: (found) => {
      const dead = sum(found, ({ activations }) => activations!.constantChannels);
      return `${dead} channels of activations never change`;
    },
    remedy: 'none needed; pruning them makes the network smaller',
  },
];

function sum(
  layers: readonly LayerDistribution[],
  of: (layer: LayerDistribution) => number,
): number {
  return layers.reduce((total, layer) => total + of(layer), 0);
}

function shares(
  found: readonly LayerDistribution[],
  of: (layer: LayerDistribution) => LayerDistribution['activations' | 'weights'],
  granularity: 'perTensor' | 'perChannel' = 'perTensor',
): string {
  return `${sum(found, (layer) => of(layer)!.noisePercent![granularity]).toFixed(0)} %`;
}
