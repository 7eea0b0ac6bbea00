// SPDX-License-Identifier: Apache-2.0
// One input file becomes one sample. What the bytes mean follows from their type: an image file
// and u8 data are pixels, f32 data is the network's own input, and a type that only a quantized
// input has (s8, s16) is its codes. `inputKind: 'codes'` says that u8 data is codes, too.
import { basename, extname } from 'node:path';

import { ModelError } from '../errors.js';
import type { Sample } from '../graph/samples.js';
import { Budget, type Limits } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import type { Pixels } from './decode.js';
import { decodeImage, withChannels } from './decode.js';
import { fit } from './geometry.js';
import type { NpyArray } from './npy.js';
import { readNpy } from './npy.js';
import type { NetworkInput, Preprocessing } from './preprocessing.js';
import { normalize, pixelValues } from './presets.js';

export type InputKind = 'auto' | 'codes';

/** A sample, with the codes of a quantized input where the file held them. */
export interface LoadedSample extends Sample {
  /** NHWC */
  readonly codes?: Uint8Array | Int8Array | Int16Array;
  /** How the file became the network's size, in words; the same for all of one kind. */
  readonly how: string;
}

export interface LoadOptions {
  readonly input: NetworkInput;
  /** Asked for only once there are pixels. */
  readonly preprocessing: () => Preprocessing;
  readonly inputKind?: InputKind | undefined;
  /** Of each file, and of the image in it. */
  readonly limits?: Limits | undefined;
}

/**
 * @param file an image, `.npy` or `.bin`
 * @throws ModelError `not-an-image`, `bad-npy`, `input-shape`, `not-finite`, `no-such-file`,
 *   `image-too-small`, `codes-out-of-place`
 */
export async function loadSample(
  file: string,
  options: LoadOptions,
  name = basename(file),
): Promise<LoadedSample> {
  switch (extname(file).toLowerCase()) {
    case '.npy':
      return fromArray(readNpy(readBytes(file, options.limits), file), options, name, file);
    case '.bin':
      return fromArray(readBin(file, options), options, name, file);
    default:
      return fromPixels(await decodeImage(file, options.limits), options, name, file);
  }
}

/** A sample from an array that is already in memory, [H, W, C], [C, H, W] or with a leading 1. */
export function fromArray(
  array: NpyArray,
  options: LoadOptions,
  name: string,
  where: string,
): LoadedSample {
  const { dtype, data } = array;
  if (data instanceof Float32Array || data instanceof Float64Array) {
    return fromReals(array, Float32Array.from(data), options.input, name, where);
  }
  if (data instanceof Uint8Array && options.inputKind !== 'codes') {
    return fromPixels(pixelsOf(array, data, options.input, where), options, name, where);
  }
  if (dtype === options.input.dtype && (dtype === 'u8' || dtype === 's8' || dtype === 's16')) {
    return fromCodes(array, options.input, name, where);
  }
  const takes = options.input.dtype ?? 'float';
  throw new ModelError(
    'codes-out-of-place',
    where,
    `${dtype} data, but the network's input is ${takes}; give pixels as u8 or values as f32`,
  );
}

/** Pixels at any size become the network's. */
function fromPixels(
  decoded: Pixels,
  { input, preprocessing }: LoadOptions,
  name: string,
  where: string,
): LoadedSample {
  const { preset, geometry } = preprocessing();
  const coloured = withChannels(decoded, input.channels);
  if (coloured.channels !== input.channels) {
    throw new ModelError(
      'input-shape',
      where,
      `the pixels have ${coloured.channels} channels, the network takes ${input.channels}`,
    );
  }
  const { pixels, how } = fit(coloured, input, preset, geometry, where);
  // Made when asked for: the integer path goes from pixels to codes by a table.
  const reals = once(() =>
    normalize(pixels.data, input.channels, pixelValues(preset, input.channels)),
  );
  return {
    name,
    how,
    pixels: pixels.data,
    get input() {
      return reals();
    },
  };
}

function fromReals(
  array: NpyArray,
  data: Float32Array,
  input: NetworkInput,
  name: string,
  where: string,
): LoadedSample {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new ModelError(
      'not-finite',
      where,
      `value ${at} is ${data[at]!}; every input has to be a finite number`,
    );
  }
  const layout = layoutOf(array.shape, input, input.layout ?? 'NCHW', where);
  const how = `f32 ${layout} data as it is`;
  return { name, how, input: layout === 'NCHW' ? data : toNchw(data, input.channels) };
}

function fromCodes(
  array: NpyArray,
  input: NetworkInput,
  name: string,
  where: string,
): LoadedSample {
  const layout = layoutOf(array.shape, input, 'NHWC', where);
  const raw = array.data as Uint8Array | Int8Array | Int16Array;
  const codes = layout === 'NHWC' ? raw : toNhwc(raw, input.channels);
  const { scale = 1, zeroPoint = 0, channels } = input;
  const reals = once(() =>
    toNchw(
      Float32Array.from(codes, (code) => scale * (code - zeroPoint)),
      channels,
    ),
  );
  return {
    name,
    codes,
    how: `${array.dtype} ${layout} codes as they are`,
    get input() {
      return reals();
    },
  };
}

function once(make: () => Float32Array): () => Float32Array {
  let made: Float32Array | undefined;
  return () => (made ??= make());
}

/** u8 [H, W, C] of any size (C of 1 or 3 serves either), [H, W] for grey, or [C, H, W] of the network's size. */
function pixelsOf(array: NpyArray, data: Uint8Array, input: NetworkInput, where: string): Pixels {
  const shape = withoutBatch(array.shape);
  const [height, width, channels = 1] = shape;
  const convertible = [1, 3].includes(channels) && [1, 3].includes(input.channels);
  const known = shape.length === 2 || shape.length === 3;
  if (known && height! > 0 && width! > 0 && (channels === input.channels || convertible)) {
    return { height: height!, width: width!, channels, data };
  }
  layoutOf(array.shape, input, 'NHWC', where);
  return {
    height: input.height,
    width: input.width,
    channels: input.channels,
    data: toNhwc(data, input.channels),
  };
}

function layoutOf(
  shape: readonly number[],
  input: NetworkInput,
  preferred: 'NCHW' | 'NHWC',
  where: string,
): 'NCHW' | 'NHWC' {
  const layout = layoutFor(shape, input, preferred);
  if (layout !== undefined) return layout;
  const { channels, height, width } = input;
  const [batch = 1, ...rest] = shape;
  const isStack = batch > 1 && layoutFor(rest, input) !== undefined;
  throw new ModelError(
    'input-shape',
    where,
    `shape [${shape.join(', ')}], the network takes [${channels}, ${height}, ${width}] or [${height}, ${width}, ${channels}]` +
      (isStack ? '; a file of many samples is given by itself, with --images or --calib' : ''),
  );
}

/** In which layout, the preferred one first, a shape is the network's input, alone or as a batch of one. */
export function layoutFor(
  shape: readonly number[],
  { channels, height, width }: NetworkInput,
  preferred: 'NCHW' | 'NHWC' = 'NCHW',
): 'NCHW' | 'NHWC' | undefined {
  const layouts = { NCHW: [channels, height, width], NHWC: [height, width, channels] };
  const other = preferred === 'NCHW' ? 'NHWC' : 'NCHW';
  const plain = channels === 1 && shape.length <= 2 ? [...shape, 1] : shape;
  return ([preferred, other] as const).find(
    (layout) => String(withoutBatch(plain)) === String(layouts[layout]),
  );
}

function withoutBatch(shape: readonly number[]): readonly number[] {
  return shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
}

/** Bytes without a header: their number tells u8 (NHWC), s16 codes (NHWC) and f32 (NCHW) apart. */
function readBin(file: string, { input, inputKind, limits }: LoadOptions): NpyArray {
  const bytes = Uint8Array.from(readBytes(file, limits));
  const { height, width, channels } = input;
  const count = height * width * channels;
  const nhwc = [height, width, channels];
  if (bytes.length === count) {
    return inputKind === 'codes' && input.dtype === 's8'
      ? { dtype: 's8', shape: nhwc, data: new Int8Array(bytes.buffer) }
      : { dtype: 'u8', shape: nhwc, data: bytes };
  }
  if (bytes.length === 2 * count && input.dtype === 's16') {
    return { dtype: 's16', shape: nhwc, data: new Int16Array(bytes.buffer) };
  }
  if (bytes.length === 4 * count) {
    return {
      dtype: 'f32',
      shape: [channels, height, width],
      data: new Float32Array(bytes.buffer),
    };
  }
  throw new ModelError(
    'input-shape',
    file,
    `${bytes.length} bytes; the network takes ${count} (u8 NHWC) or ${4 * count} (f32 NCHW)`,
  );
}

function readBytes(file: string, limits: Limits | undefined): Uint8Array {
  return readPlainFile(
    file,
    new Budget(limits),
    (reason) => new ModelError('no-such-file', file, reason),
  );
}

/** NHWC to NCHW. */
export function toNchw<
  T extends Float32Array | Float64Array | Uint8Array | Int8Array | Int16Array | Int32Array,
>(data: T, channels: number): T {
  const area = data.length / channels;
  const moved = data.slice() as T;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < channels; c++) moved[c * area + i] = data[i * channels + c]!;
  }
  return moved;
}

/** NCHW to NHWC. */
function toNhwc<T extends Float32Array | Uint8Array | Int8Array | Int16Array | Int32Array>(
  data: T,
  channels: number,
): T {
  const area = data.length / channels;
  const moved = data.slice() as T;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < area; i++) moved[i * channels + c] = data[c * area + i]!;
  }
  return moved;
}
