// SPDX-License-Identifier: Apache-2.0
import { roundHalfEven } from '../numeric/round.js';
import type { Pixels } from './decode.js';

/** A rectangle of pixels; its corner may lie between them. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

export interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * Bilinear resizing, columns then rows, each pass rounded to 8 bits, pixel centres at .5.
 * With `antialias` the triangle filter widens by the reduction (as Pillow and torchvision do on
 * images); without, each result takes two neighbours (as TensorFlow's `resize` does).
 */
export function resizeBilinear(pixels: Pixels, to: Size, antialias: boolean): Pixels {
  if (pixels.width === to.width && pixels.height === to.height) return pixels;
  const columns = filter(pixels.width, to.width, antialias);
  const rows = filter(pixels.height, to.height, antialias);
  const { channels } = pixels;
  const wide = new Uint8Array(pixels.height * to.width * channels);
  for (let y = 0; y < pixels.height; y++) {
    resample(pixels.data, y * pixels.width * channels, channels, columns, channels, (x, c, v) => {
      wide[(y * to.width + x) * channels + c] = v;
    });
  }
  const data = new Uint8Array(to.height * to.width * channels);
  const stride = to.width * channels;
  resample(wide, 0, stride, rows, stride, (y, i, v) => {
    data[y * stride + i] = v;
  });
  return { ...to, channels, data };
}

/** The pixels of a region that lies inside the image, at whole coordinates. */
export function crop(pixels: Pixels, region: Region): Pixels {
  const { channels } = pixels;
  const data = new Uint8Array(region.height * region.width * channels);
  const row = region.width * channels;
  for (let y = 0; y < region.height; y++) {
    const from = ((region.top + y) * pixels.width + region.left) * channels;
    data.set(pixels.data.subarray(from, from + row), y * row);
  }
  return { height: region.height, width: region.width, channels, data };
}

/** How half a pixel to the corner is rounded: down, or half to even as torchvision's CenterCrop. */
export type CornerRule = 'floor' | 'halfEven';

/** The middle of an image. */
export function centre(pixels: Pixels, size: Size, rule: CornerRule = 'floor'): Region {
  const round = rule === 'floor' ? Math.floor : roundHalfEven;
  const corner = (outer: number, inner: number): number => round((outer - inner) / 2);
  return {
    ...size,
    top: corner(pixels.height, size.height),
    left: corner(pixels.width, size.width),
  };
}

interface Taps {
  readonly start: number;
  readonly weights: Float64Array;
}

/** For each of `to` positions, which of `from` positions it is made of; weights sum to 1. */
function filter(from: number, to: number, antialias: boolean): Taps[] {
  const ratio = from / to;
  const support = antialias ? Math.max(ratio, 1) : 1;
  return Array.from({ length: to }, (_, i) => {
    const middle = (i + 0.5) * ratio;
    const start = Math.max(0, Math.ceil(middle - support - 0.5));
    const end = Math.min(from - 1, Math.floor(middle + support - 0.5));
    const weights = Float64Array.from({ length: end - start + 1 }, (__, k) =>
      Math.max(0, 1 - Math.abs(start + k + 0.5 - middle) / support),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { start, weights: weights.map((w) => w / sum) };
  });
}

function resample(
  data: Uint8Array,
  base: number,
  step: number,
  filters: readonly Taps[],
  lanes: number,
  put: (position: number, lane: number, value: number) => void,
): void {
  filters.forEach(({ start, weights }, position) => {
    for (let lane = 0; lane < lanes; lane++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) {
        sum += weights[k]! * data[base + (start + k) * step + lane]!;
      }
      put(position, lane, Math.floor(sum + 0.5));
    }
  });
}
