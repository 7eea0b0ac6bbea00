// SPDX-License-Identifier: Apache-2.0
// Which changes of shape have an integer form: programs hold one image with its channels innermost,
// graphs one with its channels outermost.
import type { Shape } from './graph.js';

/** One image; a value of fewer axes has sides of 1. */
export interface Image {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** A shape as one image, [C], [1,C], [1,C,H] or [1,C,H,W]; undefined where it is none. */
export function imageOf(shape: Shape): Image | undefined {
  const [first = 1, channels = first, height = 1, width = 1] = shape;
  if (shape.length > 4 || (shape.length > 1 && first !== 1)) return undefined;
  return { channels, height, width };
}

/** Whether a reshape is the same codes in the same order in both layouts. */
export function keepsImageOrder(from: Shape, to: Shape): boolean {
  const [a, b] = [imageOf(from), imageOf(to)];
  if (a === undefined || b === undefined) return false;
  const same = a.channels === b.channels && a.height === b.height && a.width === b.width;
  return same || (isOrderless(a) && isOrderless(b));
}

function isOrderless({ channels, height, width }: Image): boolean {
  return channels === 1 || height * width === 1;
}
