// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../errors.js';
import type { GeometryChoice } from './geometry.js';
import type { Preset } from './presets.js';
import { describePresets, findPreset, presets } from './presets.js';

/** What a network's only input looks like; `dtype`, `scale` and `zeroPoint` where it is quantized. */
export interface NetworkInput {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** How the model's file takes its input, where that is known; arrays that fit both are taken so. */
  readonly layout?: 'NCHW' | 'NHWC';
  readonly dtype?: 'u8' | 's8' | 's16' | 's32';
  readonly scale?: number;
  readonly zeroPoint?: number;
}

/** How pixels become the network's input, and who said so. */
export interface Preprocessing {
  readonly preset: Preset;
  readonly geometry: GeometryChoice;
  readonly decidedBy: 'flag' | 'metadata' | 'inferred';
}

export interface PreprocessingWishes {
  /** `--preprocess` */
  readonly flag?: string | undefined;
  /** `lastbit.preprocess` of the model */
  readonly metadata?: string | undefined;
  readonly geometry?: GeometryChoice | undefined;
}

/**
 * Flag, else the model's metadata, else inferred from a quantized input's scale and zero point.
 * @throws UsageError `preprocess-unknown` where none of them decides
 */
export function resolvePreprocessing(
  input: NetworkInput,
  wishes: PreprocessingWishes,
): Preprocessing {
  const geometry = wishes.geometry ?? 'auto';
  if (wishes.flag !== undefined) {
    return { preset: findPreset(wishes.flag), geometry, decidedBy: 'flag' };
  }
  if (wishes.metadata !== undefined) {
    return { preset: findPreset(wishes.metadata), geometry, decidedBy: 'metadata' };
  }
  const preset = inferPreset(input);
  if (preset) return { preset, geometry, decidedBy: 'inferred' };
  throw new UsageError(
    'preprocess-unknown',
    '--preprocess',
    `the model does not say how pixels become its input; add --preprocess with one of ${describePresets()}`,
  );
}

/** Scales within this share of the expected one count as it. */
const tolerance = 0.02;

/** 8-bit inputs: scale about 1/128 around the middle code is `tf`, about 1/255 from the lowest `unit`. */
function inferPreset(input: NetworkInput): Preset | undefined {
  const { dtype, scale, zeroPoint } = input;
  if ((dtype !== 'u8' && dtype !== 's8') || scale === undefined || zeroPoint === undefined) {
    return undefined;
  }
  const lowest = dtype === 'u8' ? zeroPoint : zeroPoint + 128;
  const about = (expected: number): boolean => Math.abs(scale / expected - 1) <= tolerance;
  if (about(1 / 128) && Math.abs(lowest - 128) <= 1) return presets.tf;
  if (about(1 / 255) && lowest === 0) return presets.unit;
  return undefined;
}
