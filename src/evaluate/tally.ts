// SPDX-License-Identifier: Apache-2.0
import type { Interval, Paired } from './intervals.js';
import { paired95, wilson95 } from './intervals.js';
import type { Placement } from './top-k.js';

/** Sums over the classes of one image, in squared units of the float scores. */
export interface Energy {
  readonly signal: number;
  readonly noise: number;
}

/** What is kept of one image; small enough to be saved after each. */
export interface ImageOutcome {
  readonly name: string;
  readonly label: number;
  /** sha256 of the image's bytes where the outcome is kept for a later run. */
  readonly sha256?: string;
  readonly quantized: Placement;
  readonly float?: Placement;
  /** Float scores, and what the quantized ones differ by. */
  readonly energy?: Energy;
}

/** Shares are percent of `n`. */
export interface Accuracy {
  readonly n: number;
  readonly top1: number;
  readonly top1Ci95: Interval;
  readonly top5: number;
  readonly tiesAtTopPercent: number;
  /** Top-1 if the label counted as hit wherever it shares the highest score. */
  readonly top1IfTiesCount: number;
  readonly float?: { readonly top1: number; readonly top5: number };
  readonly paired?: Paired;
  /** Images on which float and quantized choose the same class. */
  readonly top1Agreement?: number;
  /** Of the quantized scores against the float ones, over all images; null where they are equal. */
  readonly scoreSqnrDb?: number | null;
}

/** Sums up images; at least one. With float outcomes for every image the comparison joins. */
export function tally(outcomes: readonly ImageOutcome[]): Accuracy {
  const n = outcomes.length;
  const percent = (test: (outcome: ImageOutcome) => boolean): number =>
    (100 * outcomes.filter(test).length) / n;
  const hits = outcomes.filter(({ quantized }) => quantized.rank === 0).length;
  return {
    n,
    top1: (100 * hits) / n,
    top1Ci95: wilson95(hits, n),
    top5: percent(({ quantized }) => quantized.rank < 5),
    tiesAtTopPercent: percent(({ quantized }) => quantized.tiedAtTop),
    top1IfTiesCount: percent(({ quantized }) => quantized.hitIfTiesCount),
    ...(outcomes.every(({ float }) => float !== undefined) ? against(outcomes) : {}),
    ...fidelity(
      outcomes.flatMap(({ energy }) => energy ?? []),
      n,
    ),
  };
}

function fidelity(energies: readonly Energy[], n: number): Pick<Accuracy, 'scoreSqnrDb'> {
  if (energies.length < n) return {};
  const signal = energies.reduce((sum, energy) => sum + energy.signal, 0);
  const noise = energies.reduce((sum, energy) => sum + energy.noise, 0);
  return { scoreSqnrDb: noise === 0 ? null : 10 * Math.log10(signal / noise) };
}

/** Compares real scores with a reference. */
export function energyOf(scores: ArrayLike<number>, reference: ArrayLike<number>): Energy {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < reference.length; i++) {
    signal += reference[i]! ** 2;
    noise += (scores[i]! - reference[i]!) ** 2;
  }
  return { signal, noise };
}

function against(outcomes: readonly ImageOutcome[]): Partial<Accuracy> {
  const n = outcomes.length;
  const pairs = outcomes.map(({ quantized, float }) => [quantized, float!] as const);
  const count = (test: (quantized: Placement, float: Placement) => boolean): number =>
    pairs.filter((pair) => test(...pair)).length;
  const better = count((quantized, float) => quantized.rank === 0 && float.rank > 0);
  const worse = count((quantized, float) => quantized.rank > 0 && float.rank === 0);
  return {
    float: {
      top1: (100 * count((_, float) => float.rank === 0)) / n,
      top5: (100 * count((_, float) => float.rank < 5)) / n,
    },
    paired: paired95(better, worse, n),
    top1Agreement: (100 * count((quantized, float) => quantized.top === float.top)) / n,
  };
}
