// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Shape } from '../graph/graph.js';

/** A convolution's view of its input: what of it one output reads. */
export interface GramGeometry {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  /** Top, left; negative ones crop. */
  readonly pads: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Height and width of the output. */
  readonly output: readonly [number, number];
  readonly groups: number;
}

/**
 * Second-order statistics of what a layer reads in two networks at once, per group of its channels;
 * `terms` = input channels of a group x taps.
 */
export interface Gram {
  /** Positions that were summed. */
  readonly count: number;
  /** Covariance of the quantized network's inputs, [groups, terms, terms]. */
  readonly covariance: Float64Array;
  /** Covariance of the float network's inputs with the quantized, [groups, terms real, terms], or empty. */
  readonly cross: Float64Array;
  /** [groups, terms] */
  readonly meanQuantized: Float64Array;
  /** Means over the positions of each image, [images, groups, terms]. */
  readonly imageQuantized: Float64Array;
  readonly imageReal: Float64Array;
}

/** Adds up a Gram, image by image; of each only two means a term are kept. */
export interface GramSum {
  /**
   * @param quantized [channels, height, width]
   * @param real of the same size
   * @param positions indices into the output plane
   */
  add(quantized: Float32Array, real: Float32Array, positions: Int32Array): void;
  result(): Gram;
}

/**
 * Heavy, so native code does it: pipeline.ts wires that of the engine. `cross` asks for the covariance with
 * the float network's inputs, which is most of the work.
 */
export type OpenGramSum = (geometry: GramGeometry, cross: boolean) => GramSum;

/** @param input, output shapes [1, C, H, W] or [1, C] */
export function gramGeometry(conv: ConvNode, input: Shape, output: Shape): GramGeometry {
  const [, channels = 1, height = 1, width = 1] = input;
  const [, , outHeight = 1, outWidth = 1] = output;
  const [top, left] = conv.pads;
  return {
    channels,
    height,
    width,
    kernel: conv.kernel,
    strides: conv.strides,
    pads: [top, left],
    dilations: conv.dilations,
    output: [outHeight, outWidth],
    groups: conv.group,
  };
}

/**
 * Positions of an image to look at: `wanted` of `all`, evenly spread, and others in each image so
 * that together they cover the plane. All of them where there are no more.
 */
export function spreadPositions(all: number, wanted: number, image: number): Int32Array {
  if (all <= wanted) return Int32Array.from({ length: all }, (_, i) => i);
  // Multiples of the golden ratio's fraction fall evenly into [0, 1).
  const shift = (image * 0.6180339887498949) % 1;
  return Int32Array.from({ length: wanted }, (_, i) => Math.floor(((i + shift) * all) / wanted));
}
