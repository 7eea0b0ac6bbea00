// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../errors.js';
import type { Pixels } from './decode.js';
import type { Preset } from './presets.js';
import type { Size } from './resize.js';
import { centre, crop, resizeBilinear } from './resize.js';

/**
 * `auto`: the centre without resizing where the image is hardly larger than the network's input,
 * else the preset's; `crop`: always the centre; `stretch`: the whole image, resized.
 */
export type GeometryChoice = 'auto' | 'preset' | 'crop' | 'stretch';

/** An image at the network's size, and in words how it came there. */
export interface Fitted {
  readonly pixels: Pixels;
  readonly how: string;
}

/** How much larger than the network's input an image may be for `auto` to crop only. */
const nearlyFits = 1.1;

/**
 * Brings an image to the network's size.
 * @throws ModelError `image-too-small` where `crop` finds too few pixels
 */
export function fit(
  pixels: Pixels,
  size: Size,
  preset: Preset,
  choice: GeometryChoice,
  where: string,
): Fitted {
  const ratio = Math.min(pixels.width / size.width, pixels.height / size.height);
  switch (choice) {
    case 'auto':
      return ratio >= 1 && ratio <= nearlyFits
        ? cropOnly(pixels, size)
        : byPreset(pixels, size, preset);
    case 'crop':
      if (ratio < 1) throw tooSmall(pixels, size, where);
      return cropOnly(pixels, size);
    case 'stretch':
      return stretch(pixels, size, preset.antialias);
    case 'preset':
      return byPreset(pixels, size, preset);
  }
}

function cropOnly(pixels: Pixels, size: Size): Fitted {
  return {
    pixels: crop(pixels, centre(pixels, size)),
    how: `centre crop ${format(size)}, no resizing`,
  };
}

function stretch(pixels: Pixels, size: Size, antialias: boolean): Fitted {
  const how = `whole image resized to ${format(size)}, bilinear`;
  return { pixels: resizeBilinear(pixels, size, antialias), how };
}

function byPreset(pixels: Pixels, size: Size, preset: Preset): Fitted {
  const { geometry, antialias } = preset;
  switch (geometry.kind) {
    case 'stretch':
      return stretch(pixels, size, antialias);
    case 'fraction': {
      const middle = crop(pixels, centre(pixels, fractionOf(pixels, geometry.fraction)));
      const how = `central ${geometry.fraction} of each side, resized to ${format(size)}, bilinear`;
      return { pixels: resizeBilinear(middle, size, antialias), how };
    }
    case 'shorter': {
      const wanted = {
        height: Math.round(size.height * geometry.ratio),
        width: Math.round(size.width * geometry.ratio),
      };
      const scaled = resizeBilinear(pixels, shorterTo(pixels, wanted), antialias);
      const how = `shorter side resized to ${Math.min(wanted.height, wanted.width)}, centre crop ${format(size)}, bilinear with antialias`;
      return { pixels: crop(scaled, centre(scaled, size, 'halfEven')), how };
    }
  }
}

/** As tf.image.central_crop: the margin on each side is rounded down. */
function fractionOf(pixels: Pixels, fraction: number): Size {
  const side = (length: number): number =>
    length - 2 * Math.floor((length - length * fraction) / 2);
  return { height: side(pixels.height), width: side(pixels.width) };
}

/** The smallest size of the image's shape that covers `wanted`; the longer side is cut off. */
function shorterTo(pixels: Pixels, wanted: Size): Size {
  const ratio = Math.max(wanted.width / pixels.width, wanted.height / pixels.height);
  const side = (length: number, floor: number): number =>
    Math.max(floor, Math.trunc(length * ratio + 1e-9));
  return { height: side(pixels.height, wanted.height), width: side(pixels.width, wanted.width) };
}

function tooSmall(pixels: Pixels, size: Size, where: string): ModelError {
  return new ModelError(
    'image-too-small',
    where,
    `the image is ${format(pixels)}, the network takes ${format(size)}; use --geometry preset or stretch`,
  );
}

function format(size: Size): string {
  return `${size.width}x${size.height}`;
}
