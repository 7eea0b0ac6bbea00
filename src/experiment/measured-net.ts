// SPDX-License-Identifier: Apache-2.0
// What experiments know of a net: its float accuracy, its layers, and each way of quantizing it.
import type { Accuracy } from '../evaluate/index.js';
import type { LayerDistribution } from '../analyze/index.js';

/** One layer behind quantization. */
export interface LayerError {
  readonly name: string;
  readonly kind: string;
  /** dB behind quantized predecessors; null without noise. */
  readonly accumulatedDb: number | null;
  /** dB alone on the float input; null where it cannot stand alone. */
  readonly isolatedDb: number | null;
  readonly saturatedPercent: number;
}

/** A net quantized in one way and run in exact integers. */
export interface QuantizedRun {
  readonly scheme: string;
  readonly target: string;
  readonly weightBits: number;
  readonly recipe: string;
  readonly accuracy: Accuracy;
  /** By image: 1 where the integers are right, and where the float net is. */
  readonly hits: readonly number[];
  readonly floatHits: readonly number[];
  readonly layers: readonly LayerError[];
  readonly steps: readonly { readonly name: string; readonly changed: string }[];
}

export interface MeasuredNet {
  readonly name: string;
  readonly file: string;
  readonly sha256: string;
  readonly layers: readonly LayerDistribution[];
  readonly runs: readonly QuantizedRun[];
}

/** A net with depthwise layers is separable; one without is regular. */
export function isSeparable({ layers }: Pick<MeasuredNet, 'layers'>): boolean {
  return layers.some(({ kind }) => kind === 'depthwise');
}

/** (float - quantized) / float in percent, Yun and Wong's measure. */
export function relativeDrop({ accuracy }: QuantizedRun): number {
  const float = accuracy.float!.top1;
  return float === 0 ? 0 : (100 * (float - accuracy.top1)) / float;
}

/** Points that quantization costs each image: the integers' hit minus the float net's. */
export function changes(run: QuantizedRun): number[] {
  return run.hits.map((hit, i) => 100 * (hit - run.floatHits[i]!));
}

/** The run of a scheme. */
export function runOf(net: MeasuredNet | undefined, scheme: string): QuantizedRun | undefined {
  return net?.runs.find((run) => run.scheme === scheme);
}
