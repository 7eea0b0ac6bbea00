// SPDX-License-Identifier: Apache-2.0
import { type Codes, codeLimits, type CodeType, codeArrays } from '../numeric/code-types.js';

/** What a random image is made for: a program's tensor, or the engine's description of one. */
export interface CodeShape {
  readonly dtype: CodeType;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Uniform codes over the whole range of the type, the same for the same seed (mulberry32). */
export function randomCodes({ dtype, height, width, channels }: CodeShape, seed: number): Codes {
  const [minCode, maxCode] = codeLimits(dtype);
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const codes = new codeArrays[dtype](height * width * channels);
  return codes.map(() => minCode + Math.floor(next() * (maxCode - minCode + 1)));
}

/** Dense NHWC codes as the reals they stand for, NCHW. */
export function realsOf(
  shape: CodeShape & { readonly scale: number; readonly zeroPoint: number },
  codes: Codes,
): Float32Array {
  const { height, width, channels, scale, zeroPoint } = shape;
  const pixels = height * width;
  return Float32Array.from({ length: codes.length }, (_, i) => {
    const c = Math.floor(i / pixels);
    return scale * (codes[(i % pixels) * channels + c]! - zeroPoint);
  });
}
