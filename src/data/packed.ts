// SPDX-License-Identifier: Apache-2.0
// Many samples in one .npy: u8 images [N, H, W, C] of any size, or the network's own inputs as NumPy
// saves a calibration set, [N, C, H, W] or [N, H, W, C]; and labels in another, [N].
import { basename } from 'node:path';

import { ModelError } from '../errors.js';
import { Budget, type Limits } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import { elementCount } from '../graph/tensors.js';
import { offsetLabel } from './labels.js';
import { fromArray, layoutFor, type LoadOptions } from './load-sample.js';
import type { NpyArray } from './npy.js';
import { readNpy } from './npy.js';
import type { LabelledOptions, LoadedSource } from './source.js';
import { hashOf, itemSource, withLabel } from './source.js';

/**
 * A source over one packed file; sample i is named `<file>#<i>`.
 * @param labels the labels' file; without it the samples have none
 * @throws ModelError `bad-npy`, `input-shape`, `bad-labels`, `label-out-of-range`, `no-such-file`
 */
export function packedSource(
  images: string,
  labels: string | undefined,
  options: LabelledOptions,
): LoadedSource {
  const array = readArray(images, options.limits);
  const { shape, count } = samplesOf(array, options, images);
  const classes = labels === undefined ? undefined : readClasses(labels, count, options.limits);
  const size = elementCount(shape);
  const items = Array.from({ length: Math.min(count, options.limit ?? count) }, (_, i) => {
    const name = `${basename(images)}#${i}`;
    const label =
      classes &&
      offsetLabel({ file: name, label: classes[i]! }, options.labelOffset, options.classes);
    const own = { ...array, shape, data: array.data.subarray(i * size, (i + 1) * size) };
    return {
      name,
      content: () => hashOf(bytesOf(own)),
      load: () => {
        const sample = fromArray(own, options, name, `${images}, sample ${i}`);
        return Promise.resolve(label === undefined ? sample : withLabel(sample, label));
      },
    };
  });
  return itemSource(items);
}

/**
 * How many samples an array holds, and the shape of one.
 * @throws ModelError `input-shape` with what fits
 */
function samplesOf(
  { shape, data, dtype }: NpyArray,
  { input, inputKind }: LoadOptions,
  where: string,
): { readonly shape: readonly number[]; readonly count: number } {
  const { channels, height, width } = input;
  const [count = 0, ...sample] = shape;
  const isPixels = data instanceof Uint8Array && inputKind !== 'codes';
  const fits = (sides: readonly number[]): boolean =>
    isPixels ? sides.length === 2 || sides.length === 3 : layoutFor(sides, input) !== undefined;
  if (count > 0 && fits(sample)) return { shape: sample, count };
  if (count > 0 && fits(shape)) return { shape, count: 1 };
  throw new ModelError(
    'input-shape',
    where,
    `${dtype} of shape [${shape.join(', ')}]; the network takes preprocessed float32 samples ` +
      `[N, ${channels}, ${height}, ${width}] or [N, ${height}, ${width}, ${channels}], ` +
      'or u8 images [N, H, W, C] of any size, N of at least 1; transpose or reshape the array, ' +
      'or give a folder with one .npy per sample',
  );
}

function bytesOf({ data }: NpyArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function readClasses(file: string, count: number, limits: Limits | undefined): number[] {
  const { shape, data } = readArray(file, limits);
  if (shape.length === 1 && data.length === count) return Array.from(data, Number);
  throw new ModelError(
    'bad-labels',
    file,
    `expected ${count} labels, one for each image, got shape [${shape.join(', ')}]`,
  );
}

function readArray(file: string, limits: Limits | undefined): NpyArray {
  const refuse = (reason: string) => new ModelError('no-such-file', file, reason);
  return readNpy(readPlainFile(file, new Budget(limits), refuse), file);
}
