// SPDX-License-Identifier: Apache-2.0
// A preset says how a pixel becomes the network's real input, and which part of an image is taken
// at which size. The float32 operations are written out in order: a quantized input can turn on
// the last bit of them.
import { didYouMean, ModelError, UsageError } from '../errors.js';

type PresetName = 'tf' | 'torchvision' | 'unit' | 'none';

export interface Preset {
  readonly name: PresetName;
  /** The normalization in words. */
  readonly formula: string;
  /** f32 value of pixel 0 ... 255 in one channel. */
  readonly value: (pixel: number, channel: number) => number;
  readonly geometry: PresetGeometry;
  /** Whether reducing an image widens the filter. */
  readonly antialias: boolean;
  /** The number of channels that `value` knows; undefined where all are alike. */
  readonly channels?: number;
}

type PresetGeometry =
  /** The middle `fraction` of each side, resized to the network's size. */
  | { readonly kind: 'fraction'; readonly fraction: number }
  /** The shorter side resized to the network's times `ratio`, then the centre. */
  | { readonly kind: 'shorter'; readonly ratio: number }
  | { readonly kind: 'stretch' };

const f32 = Math.fround;
const mean = [0.485, 0.456, 0.406].map(f32);
const std = [0.229, 0.224, 0.225].map(f32);

/** The preprocessings by name: `tf`, `torchvision`, `unit`, `none`. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  /** keras.applications `mode="tf"`, TF-slim's evaluation. */
  tf: {
    name: 'tf',
    formula: 'x / 127.5 - 1',
    value: (pixel) => f32(f32(pixel / 127.5) - 1),
    geometry: { kind: 'fraction', fraction: 0.875 },
    antialias: false,
  },
  /** torchvision's ImageNet evaluation transforms. */
  torchvision: {
    name: 'torchvision',
    formula: '(x / 255 - [0.485 0.456 0.406]) / [0.229 0.224 0.225]',
    value: (pixel, channel) => f32(f32(f32(pixel / 255) - mean[channel]!) / std[channel]!),
    geometry: { kind: 'shorter', ratio: 256 / 224 },
    antialias: true,
    channels: 3,
  },
  unit: {
    name: 'unit',
    formula: 'x / 255',
    value: (pixel) => f32(pixel / 255),
    geometry: { kind: 'stretch' },
    antialias: true,
  },
  none: {
    name: 'none',
    formula: 'x',
    value: (pixel) => pixel,
    geometry: { kind: 'stretch' },
    antialias: true,
  },
};

/**
 * A preset by its name.
 * @throws UsageError `unknown-preset`
 */
export function findPreset(name: string): Preset {
  const preset = Object.hasOwn(presets, name) ? presets[name as PresetName] : undefined;
  if (preset) return preset;
  throw new UsageError(
    'unknown-preset',
    '--preprocess',
    `"${name}" is not a preprocessing${didYouMean(name, Object.keys(presets))}; choose ${describePresets()}`,
  );
}

/** All presets with their formulas, for messages. */
export function describePresets(): string {
  return Object.values(presets)
    .map((preset) => `${preset.name} (${preset.formula})`)
    .join(', ');
}

/**
 * The real value of every pixel: entry `channel * 256 + pixel`, f32.
 * @throws ModelError `preset-channels` where the preset does not know that many channels
 */
export function pixelValues(preset: Preset, channels: number): Float32Array {
  if (preset.channels !== undefined && preset.channels !== channels) {
    throw new ModelError(
      'preset-channels',
      `preprocessing "${preset.name}"`,
      `it normalizes ${preset.channels} channels, the network takes ${channels}; choose tf, unit or none`,
    );
  }
  return Float32Array.from({ length: channels * 256 }, (_, i) =>
    preset.value(i & 255, Math.floor(i / 256)),
  );
}

/** u8 NHWC pixels to f32 NCHW by a table of `pixelValues`. */
export function normalize(
  pixels: Uint8Array,
  channels: number,
  values: Float32Array,
): Float32Array {
  const area = pixels.length / channels;
  const input = new Float32Array(pixels.length);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < area; i++) {
      input[c * area + i] = values[c * 256 + pixels[i * channels + c]!]!;
    }
  }
  return input;
}
