// SPDX-License-Identifier: Apache-2.0
// What quantization learns about the network's values from: images, or the network itself.
import type { Limits } from '../limits/budget.js';
import { createHash } from 'node:crypto';

import { distributionFrom, type ChannelDistribution } from '../calibrate/data-free/index.js';
import type {
  GeometryChoice,
  LoadedSample,
  LoadedSource,
  NetworkInput,
  Preset,
} from '../data/index.js';
import { pixelValues, remember, resolvePreprocessing } from '../data/index.js';
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { SampleSource } from '../graph/samples.js';
import type { PreprocessFacts } from '../report/index.js';
import { floatInput, openInputs } from './inputs.js';

export interface CalibrationOptions extends Limits {
  readonly model: string;
  /** Folder of calibration images, or one .npy of many. */
  readonly calib?: string | undefined;
  /** No images: statistics from the batch norms. */
  readonly dataFree?: boolean | undefined;
  readonly limit?: number | undefined;
  readonly preprocess?: string | undefined;
  readonly geometry?: GeometryChoice | undefined;
}

export interface Calibration {
  /** Without images: empty. */
  readonly samples: SampleSource;
  /** Without images: what the network's input looks like. */
  readonly inputDistribution?: ChannelDistribution;
  /** What pixels become, once the preprocessing is known. */
  pixels(): Float32Array | undefined;
  /** For the file's metadata: the images' SHA-256, or that there were none. */
  id(): string;
  facts(): PreprocessFacts;
}

/**
 * @throws UsageError `missing-option` for neither `calib` nor `dataFree`, `clash` for both;
 *   those of the sources
 */
export function openCalibration(graph: Graph, options: CalibrationOptions): Calibration {
  const { calib, dataFree = false } = options;
  const network = floatInput(graph, options.model);
  const preset = graph.metadata.get('lastbit.preprocess');
  if (calib !== undefined && dataFree) {
    throw new UsageError('clash', '--calib, --data-free', 'give one of them, not both');
  }
  if (dataFree) return withoutImages(network, preset, options);
  if (calib === undefined) {
    throw new UsageError(
      'missing-option',
      '--calib',
      'give a folder of calibration images, or --data-free for a model with batch norms',
    );
  }
  const inputs = openInputs(network, preset, { ...options, images: calib });
  const { source, digest } = hashed(remember(inputs.source), (sample) => {
    inputs.note(sample);
  });
  return {
    samples: source,
    pixels: () =>
      inputs.facts().preprocess === null
        ? undefined
        : pixelValues(inputs.preprocessing().preset, network.channels),
    id: digest,
    facts: () => inputs.facts(),
  };
}

function withoutImages(
  network: NetworkInput,
  metadata: string | undefined,
  { preprocess, geometry }: CalibrationOptions,
): Calibration {
  const chosen = resolvePreprocessing(network, { flag: preprocess, metadata, geometry });
  return {
    samples: noSamples,
    inputDistribution: photographs(chosen.preset, network.channels),
    pixels: () => pixelValues(chosen.preset, network.channels),
    id: () => 'data-free',
    facts: () => ({
      preprocess: chosen.preset.name,
      preprocessDecidedBy: chosen.decidedBy,
      geometry: chosen.geometry,
      geometryApplied: {},
    }),
  };
}

const noSamples: SampleSource = {
  count: 0,
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
};

/**
 * Mean and deviation of the pixels of photographs, red, green, blue, of 255: those that
 * torchvision normalizes ImageNet by. Other numbers of channels get the average of the three.
 */
const pixelMean = [0.485, 0.456, 0.406].map((share) => 255 * share);
const pixelStd = [0.229, 0.224, 0.225].map((share) => 255 * share);

/** Pixels of photographs after a preset, within what 0 and 255 become. */
function photographs(preset: Preset, channels: number): ChannelDistribution {
  const values = pixelValues(preset, channels);
  const average = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0) / of.length;
  return distributionFrom(channels, (c) => {
    const [lo, hi] = [values[c * 256]!, values[c * 256 + 255]!];
    const slope = (hi - lo) / 255;
    const mean = channels === 3 ? pixelMean[c]! : average(pixelMean);
    const std = channels === 3 ? pixelStd[c]! : average(pixelStd);
    return { mean: lo + slope * mean, std: slope * std, lo, hi };
  });
}

/** Passes samples on, and hashes the first full pass over them. */
function hashed(source: LoadedSource, onFirst: (sample: LoadedSample) => void) {
  const hash = createHash('sha256');
  let first = true;
  const iterate = async function* (): AsyncGenerator<LoadedSample> {
    const counted = first;
    first = false;
    for await (const sample of source) {
      if (counted) {
        const { buffer, byteOffset, byteLength } = sample.input;
        hash.update(new Uint8Array(buffer, byteOffset, byteLength));
        onFirst(sample);
      }
      yield sample;
    }
  };
  const { count } = source;
  return {
    source: { count, [Symbol.asyncIterator]: iterate },
    digest: () => hash.digest('hex'),
  };
}
