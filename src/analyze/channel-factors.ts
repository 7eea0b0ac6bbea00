// SPDX-License-Identifier: Apache-2.0
// Equalization multiplies the channels of inner values by factors and keeps the network's function.
// Who compares such a value with the float original has to know them; they travel as text.
import { z } from 'zod';

import { ModelError } from '../errors.js';

/** By value name, one factor for each channel. */
export type ChannelFactors = ReadonlyMap<string, ArrayLike<number>>;

/** Text for a file's metadata; undefined where every factor is 1. */
export function formatFactors(factors: ChannelFactors): string | undefined {
  const moved = [...factors].filter(([, list]) => Array.from(list).some((factor) => factor !== 1));
  if (moved.length === 0) return undefined;
  const encode = (list: ArrayLike<number>): string =>
    Buffer.from(Float32Array.from(list).buffer).toString('base64');
  return JSON.stringify(Object.fromEntries(moved.map(([name, list]) => [name, encode(list)])));
}

/**
 * The inverse of `formatFactors`; absent text means no factors.
 * @throws ModelError `bad-metadata`
 */
export function parseFactors(text: string | undefined): ChannelFactors {
  if (text === undefined) return new Map();
  try {
    const entries = z.record(z.string(), z.base64()).parse(JSON.parse(text));
    return new Map(Object.entries(entries).map(([name, code]) => [name, decode(code)]));
  } catch {
    throw new ModelError(
      'bad-metadata',
      'metadata "lastbit.channelFactors"',
      'it cannot be read; quantize the model again',
    );
  }
}

/** f32 NCHW values, each channel times its factor (or divided by it). */
export function scaleChannels(
  values: Float32Array,
  factors: ArrayLike<number> | undefined,
  direction: 'multiply' | 'divide',
): Float32Array {
  if (factors === undefined) return values;
  const area = values.length / factors.length;
  return values.map((value, i) => {
    const factor = factors[Math.floor(i / area)]!;
    return direction === 'multiply' ? value * factor : value / factor;
  });
}

function decode(code: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(code, 'base64')).buffer);
}
