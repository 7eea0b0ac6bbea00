// SPDX-License-Identifier: Apache-2.0
// Many small images in one .npy, [N, H, W, C] u8, and their labels in another, [N].
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

import { ModelError } from '../errors.js';
import { offsetLabel } from './labels.js';
import { fromPixels } from './load-sample.js';
import type { NpyArray } from './npy.js';
import { readNpy } from './npy.js';
import type { LabelledOptions, LoadedSource } from './source.js';
import { hashOf, itemSource, withLabel } from './source.js';

/**
 * A source over one packed file; sample i is named `<file>#<i>`.
 * @param labels the labels' file; without it the samples have none
 * @throws ModelError `bad-npy`, `bad-labels`, `label-out-of-range`, `no-such-file`
 */
export function packedSource(
  images: string,
  labels: string | undefined,
  options: LabelledOptions,
): LoadedSource {
  const { shape, data } = readArray(images);
  const [count = 0, height = 0, width = 0, channels = 1] = shape;
  if (!(data instanceof Uint8Array) || shape.length < 3 || shape.length > 4 || count === 0) {
    throw new ModelError('bad-npy', images, 'expected u8 images [N, H, W, C] with N of at least 1');
  }
  const classes = labels === undefined ? undefined : readClasses(labels, count);
  const size = height * width * channels;
  const items = Array.from({ length: Math.min(count, options.limit ?? count) }, (_, i) => {
    const name = `${basename(images)}#${i}`;
    const label =
      classes &&
      offsetLabel({ file: name, label: classes[i]! }, options.labelOffset, options.classes);
    const own = data.subarray(i * size, (i + 1) * size);
    return {
      name,
      content: () => hashOf(own),
      load: () => {
        const pixels = { height, width, channels, data: own };
        const sample = fromPixels(pixels, options, name, images);
        return Promise.resolve(label === undefined ? sample : withLabel(sample, label));
      },
    };
  });
  return itemSource(items);
}

function readClasses(file: string, count: number): number[] {
  const { shape, data } = readArray(file);
  if (shape.length === 1 && data.length === count) return Array.from(data, Number);
  throw new ModelError(
    'bad-labels',
    file,
    `expected ${count} labels, one for each image, got shape [${shape.join(', ')}]`,
  );
}

function readArray(file: string): NpyArray {
  try {
    return readNpy(readFileSync(file), file);
  } catch (error) {
    if (error instanceof ModelError) throw error;
    throw new ModelError('no-such-file', file, 'the file cannot be read');
  }
}
