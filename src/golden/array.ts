// SPDX-License-Identifier: Apache-2.0
import type { NpyArray } from '../data/index.js';

/** What an array is to its layer. */
export const roles = [
  'input',
  'weights',
  'weight-zero-points',
  'bias',
  'multipliers',
  'shifts',
  'scales',
  'table',
  'stage',
  'clamp-min',
  'clamp-max',
  'partial-sums',
  'accumulators',
  'output',
] as const;

export type Role = (typeof roles)[number];

/** Numbers of one register file, memory or stream of a layer, dense in the order of their axes. */
export interface GoldenArray extends NpyArray {
  readonly role: Role;
  /** Unique within the layer and the image; file names are made of it. */
  readonly name: string;
  /** A letter for each axis: N image, H W C an activation's, O I output and input channel of weights, K step. */
  readonly axes: string;
  /** What fills a tile beyond the last channel: the number that stands for 0. */
  readonly filler: number;
  /** Bits that hold every number the target may have there, for words narrower than the type. */
  readonly bits: number;
  /** Of codes: real = scale x (code - zero point). */
  readonly scale?: number;
  readonly zeroPoint?: number;
}
