// SPDX-License-Identifier: Apache-2.0
import type { LoadedSample, LoadedSource } from '../data/index.js';
import { ModelError } from '../errors.js';
import type { Progress } from './progress.js';
import { energyOf, type ImageOutcome } from './tally.js';
import { placeLabel } from './top-k.js';

/** One sample to the network's scores as real numbers, one for each class. */
export type Predict = (sample: LoadedSample) => Promise<ArrayLike<number>>;

export interface EvaluateOptions {
  /** Labelled samples. */
  readonly samples: LoadedSource;
  /** One worker each; they work on different images at the same time. */
  readonly quantized: readonly Predict[];
  /** The reference, on the same samples. */
  readonly float?: Predict | undefined;
  readonly progress: Progress;
  readonly onImage?: ((done: number, total: number, sample: LoadedSample) => void) | undefined;
}

/** How often progress is saved. */
const saveEveryMs = 1000;

/**
 * Runs all samples and places each label among the scores. At most one sample a worker is held,
 * besides the few being loaded.
 * @returns outcomes in the samples' order, whatever the number of workers
 * @throws ModelError `no-label`; whatever `quantized`, `float` or the samples throw
 */
export async function evaluate(options: EvaluateOptions): Promise<ImageOutcome[]> {
  const { samples, quantized, float, progress, onImage } = options;
  const outcomes: (ImageOutcome | undefined)[] = [...progress.done].slice(0, samples.count);
  const rest = samples.skip(outcomes.length)[Symbol.asyncIterator]();
  let taken = outcomes.length;
  let finished = outcomes.length;
  let savedAt = Date.now();
  let failed = false;
  const work = async (predict: Predict): Promise<void> => {
    while (!failed) {
      const next = await rest.next();
      if (next.done === true) return;
      const sample = next.value;
      const at = taken++;
      const outcome = await outcomeOf(sample, predict, float);
      outcomes[at] = progress.isKept
        ? { ...outcome, sha256: samples.items[at]!.content() }
        : outcome;
      finished++;
      onImage?.(finished, samples.count, sample);
      if (Date.now() - savedAt > saveEveryMs) {
        savedAt = Date.now();
        progress.save(unbroken(outcomes));
      }
    }
  };
  const workers = quantized.map((predict) =>
    work(predict).catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  const ends = await Promise.allSettled(workers);
  // A shorter run over progress that is further along leaves it as it is.
  if (finished > progress.done.length) progress.save(unbroken(outcomes));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return unbroken(outcomes);
}

async function outcomeOf(
  sample: LoadedSample,
  predict: Predict,
  float: Predict | undefined,
): Promise<ImageOutcome> {
  const { name, label } = sample;
  if (label === undefined) throw new ModelError('no-label', name, 'the image has no label');
  const [scores, reference] = await Promise.all([predict(sample), float?.(sample)]);
  const quantized = placeLabel(scores, label);
  if (reference === undefined) return { name, label, quantized };
  const energy = energyOf(scores, reference);
  return { name, label, quantized, float: placeLabel(reference, label), energy };
}

/** The outcomes up to the first image still under way. */
export function unbroken(outcomes: readonly (ImageOutcome | undefined)[]): ImageOutcome[] {
  const gap = outcomes.findIndex((outcome) => outcome === undefined);
  return (gap < 0 ? outcomes : outcomes.slice(0, gap)) as ImageOutcome[];
}
