// SPDX-License-Identifier: Apache-2.0
// The order in which numbers lie in a memory. An array's own order is that of its axes, the last
// running fastest; a layout names another order, and may cut the channels into tiles.
import { UsageError } from '../errors.js';
import type { GoldenArray } from './array.js';

/** Orders of activations and of weights, as users name them; `nchw16c` stands for any tile. */
export interface Layouts {
  /** nhwc, nchw, or nchw with tiles of n channels: nchw8c. */
  readonly activations: string;
  /** ohwi, oihw, hwio. */
  readonly weights: string;
}

export const defaultLayouts: Layouts = { activations: 'nhwc', weights: 'ohwi' };

/** @throws UsageError for an order that is not one of the above */
export function checkLayouts({ activations, weights }: Layouts): void {
  if (!/^(nhwc|nchw|nchw[1-9]\d{0,3}c)$/.test(activations)) {
    throw unknown('--layout', activations, 'nhwc, nchw, or nchw with tiles such as nchw16c');
  }
  if (!['ohwi', 'oihw', 'hwio'].includes(weights)) {
    throw unknown('--weight-layout', weights, 'ohwi, oihw or hwio');
  }
}

function unknown(where: string, got: string, expected: string): UsageError {
  return new UsageError('unknown-layout', where, `expected ${expected}, got "${got}"`);
}

/** Numbers in the order of a layout. */
export interface Arranged {
  /** Axes, the last running fastest; a tile's inner axis is lower case: NCHWc. */
  readonly axes: string;
  readonly shape: readonly number[];
  readonly data: GoldenArray['data'];
}

/** An array in the order that a layout asks for. Vectors have one order. */
export function arranged(array: GoldenArray, layouts: Layouts): Arranged {
  const { axes, shape, data } = array;
  if (axes === 'OHWI') return permuted(array, layouts.weights.toUpperCase());
  if (!axes.endsWith('NHWC')) return { axes, shape, data };
  const leading = axes.slice(0, -4);
  const [, tile] = /^nchw(\d+)c$/.exec(layouts.activations) ?? [];
  if (tile === undefined) return permuted(array, leading + layouts.activations.toUpperCase());
  const tiled = tiles(array, Number(tile));
  return permuted(tiled, `${leading}NCHWc`);
}

/** Channels as [C / tile, tile], filled up. */
function tiles(array: GoldenArray, tile: number): GoldenArray {
  const channels = array.shape.at(-1)!;
  const count = Math.ceil(channels / tile);
  const pixels = array.data.length / channels;
  const data = emptyLike(array.data, pixels * count * tile);
  fill(data, array.filler);
  for (let p = 0; p < pixels; p++) {
    const from = array.data.subarray(p * channels, (p + 1) * channels);
    data.set(from as never, p * count * tile);
  }
  return {
    ...array,
    axes: `${array.axes}c`,
    shape: [...array.shape.slice(0, -1), count, tile],
    data,
  };
}

/** The same numbers with the axes in another order. */
function permuted(array: GoldenArray, axes: string): Arranged {
  const from = Array.from(axes, (axis) => array.axes.indexOf(axis));
  const shape = from.map((axis) => array.shape[axis]!);
  if (axes === array.axes) return { axes, shape, data: array.data };
  const strides = stridesOf(array.shape);
  const steps = from.map((axis) => strides[axis]!);
  const data = emptyLike(array.data, array.data.length);
  const position = new Array<number>(shape.length).fill(0);
  let source = 0;
  for (let i = 0; i < data.length; i++) {
    data[i] = array.data[source]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += steps[axis]!;
      if (++position[axis]! < shape[axis]!) break;
      source -= steps[axis]! * shape[axis]!;
      position[axis] = 0;
    }
  }
  return { axes, shape, data };
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

function emptyLike(data: GoldenArray['data'], length: number): GoldenArray['data'] {
  const Type = data.constructor as new (length: number) => GoldenArray['data'];
  return new Type(length);
}

function fill(data: GoldenArray['data'], value: number): void {
  if (data instanceof BigInt64Array) data.fill(BigInt(value));
  else data.fill(value);
}
