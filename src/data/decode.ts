// SPDX-License-Identifier: Apache-2.0
import { LimitError, ModelError } from '../errors.js';
import { Budget, type Limits } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import { needPackage } from '../optional-package.js';
import { imageFormatOf } from './image-format.js';
import { imageFiles, imageLibrary } from './image-library.js';

/** Pixels as people see them: rows from the top, RGB, 8 bits each. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** NHWC */
  readonly data: Uint8Array;
}

/** Of one pixel: decoded, turned, and as RGB, up to 16 bits a channel in between. */
const bytesEachPixel = 16;

const maxSeconds = 10;

/**
 * Decodes one image file to RGB. Exif orientation is applied. Grey, CMYK and 16-bit images become
 * 8-bit RGB; an alpha channel is dropped and an embedded colour profile ignored, as in the
 * loaders of torchvision and TensorFlow; of several frames the first is taken.
 * @throws ModelError `not-an-image`, `no-such-file`; LimitError `too-much-memory`, `image-too-slow`; UsageError
 *   `missing-package` without the image library
 */
export async function decodeImage(file: string, limits?: Limits): Promise<Pixels> {
  const budget = new Budget(limits);
  const bytes = readPlainFile(
    file,
    budget,
    (reason) => new ModelError('no-such-file', file, `the image cannot be read: ${reason}`),
  );
  requireFormat(bytes, file);
  const sharp = needPackage(imageLibrary, imageFiles);
  try {
    const settings = {
      failOn: 'error',
      ignoreIcc: true,
      pages: 1,
      limitInputPixels: false,
    } as const;
    const image = sharp(bytes, settings);
    const { width: columns, height: rows } = await image.metadata();
    budget.takeMemory(bytesEachPixel * columns * rows, file, `its ${columns} x ${rows} pixels`);
    const { data, info } = await image
      .timeout({ seconds: maxSeconds })
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return {
      width,
      height,
      channels,
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    };
  } catch (error) {
    if (error instanceof LimitError) throw error;
    const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    if (reason.startsWith('timeout')) {
      throw new LimitError(
        'image-too-slow',
        file,
        `decoding took more than ${maxSeconds} s; repair or remove the file`,
      );
    }
    throw new ModelError(
      'not-an-image',
      file,
      `expected an image (JPEG, PNG, WebP, TIFF, GIF, AVIF), but decoding failed: ${reason.trim()}; repair or remove the file`,
    );
  }
}

/** The decoder knows more formats, some of them documents with programs and links (SVG, PDF). */
function requireFormat(bytes: Uint8Array, file: string): void {
  if (imageFormatOf(bytes) !== undefined) return;
  throw new ModelError(
    'not-an-image',
    file,
    'expected an image (JPEG, PNG, WebP, TIFF, GIF, AVIF), its first bytes are those of none; convert it',
  );
}

/** Grey to colour and colour to grey, where a network wants the other; else the pixels as they are. */
export function withChannels(pixels: Pixels, channels: number): Pixels {
  if (pixels.channels === 3 && channels === 1) return toGrey(pixels);
  return pixels.channels === 1 && channels === 3 ? toRgb(pixels) : pixels;
}

/**
 * Luma after ITU-R BT.601 in 16-bit fixed point: (19595 R + 38470 G + 7471 B + 2^15) >> 16.
 * The weights sum to 2^16, so a grey pixel keeps its value.
 */
export function toGrey(pixels: Pixels): Pixels {
  const data = new Uint8Array(pixels.width * pixels.height);
  for (let i = 0, p = 0; i < data.length; i++, p += 3) {
    const [r, g, b] = [pixels.data[p]!, pixels.data[p + 1]!, pixels.data[p + 2]!];
    data[i] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
  }
  return { ...pixels, channels: 1, data };
}

function toRgb(pixels: Pixels): Pixels {
  const data = new Uint8Array(pixels.data.length * 3);
  pixels.data.forEach((grey, i) => data.fill(grey, i * 3, i * 3 + 3));
  return { ...pixels, channels: 3, data };
}
