// SPDX-License-Identifier: Apache-2.0
import type { Pads, Pair, ProgramTensor } from './program.js';

export interface WindowShape {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations?: Pair;
  readonly pads: Pads;
}

/** Height and width of what a window makes of an image; NOTES.md, "Operations". */
export function windowOutput(
  { kernel, strides, dilations = [1, 1], pads }: WindowShape,
  height: number,
  width: number,
): Pair {
  const [top, left, bottom, right] = pads;
  const span = (size: number, axis: 0 | 1) => size - ((kernel[axis] - 1) * dilations[axis] + 1);
  return [
    Math.floor(span(height + top + bottom, 0) / strides[0]) + 1,
    Math.floor(span(width + left + right, 1) / strides[1]) + 1,
  ];
}

/**
 * Calls `visit` for each kernel position (row by row) whose pixel lies inside the image.
 *
 * @param visit receives the pixel's index (y * width + x) and the position's (ky * kernel width + kx)
 */
export function forEachPixel(
  { kernel, strides, dilations = [1, 1], pads }: WindowShape,
  { height, width }: ProgramTensor,
  oy: number,
  ox: number,
  visit: (pixel: number, position: number) => void,
): void {
  for (let ky = 0; ky < kernel[0]; ++ky) {
    const y = oy * strides[0] - pads[0] + ky * dilations[0];
    if (y < 0 || y >= height) continue;
    for (let kx = 0; kx < kernel[1]; ++kx) {
      const x = ox * strides[1] - pads[1] + kx * dilations[1];
      if (x < 0 || x >= width) continue;
      visit(y * width + x, ky * kernel[1] + kx);
    }
  }
}
