// SPDX-License-Identifier: Apache-2.0
// The order in which a layer's output leaves the hardware, and how a place in it is called.
import type { GoldenArray } from '../array.js';
import { arranged, type Layouts } from '../layout.js';

/** A stream of an activation's numbers. */
export interface Stream {
  /** Axes with their sizes, the last running fastest; those of size 1 are left out. */
  readonly axes: readonly { readonly name: string; readonly size: number }[];
  readonly length: number;
  /** NHWC index of a place; -1 for what fills a tile. */
  readonly indexOf: (at: number) => number;
}

const axisNames: Readonly<Record<string, string>> = {
  N: 'image',
  H: 'row',
  W: 'column',
  C: 'channel',
  c: 'lane',
};

export function streamOf(shape: readonly number[], layouts: Layouts): Stream {
  const count = shape.reduce((a, b) => a * b, 1);
  const indices = Int32Array.from({ length: count }, (_, i) => i);
  const array: GoldenArray = {
    ...{ role: 'output', name: 'index', dtype: 's32', axes: 'NHWC', filler: -1, bits: 32 },
    ...{ shape, data: indices },
  };
  const order = arranged(array, layouts);
  const axes = Array.from(order.axes, (axis, i) => ({
    name: axis === 'C' && order.axes.includes('c') ? 'tile' : axisNames[axis]!,
    size: order.shape[i]!,
  }));
  return {
    axes: axes.filter(({ size }, i) => size > 1 || i === axes.length - 1),
    length: order.data.length,
    indexOf: (at) => Number(order.data[at]!),
  };
}
