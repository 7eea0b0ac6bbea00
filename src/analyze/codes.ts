// SPDX-License-Identifier: Apache-2.0
import type { Codes } from '../program/executor.js';
import { codeRange } from '../program/program.js';
import type { Quantization } from './saturation.js';

/** Height, width and channels of one image. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

const arrays = { u8: Uint8Array, s8: Int8Array, s16: Int16Array, s32: Int32Array } as const;

/** NHWC codes to f32 NCHW reals: scale * (code - zeroPoint). */
export function dequantizeToNchw(codes: Codes, from: Quantization & ImageShape): Float32Array {
  const area = from.height * from.width;
  const reals = new Float32Array(codes.length);
  for (let i = 0, at = 0; i < area; i++) {
    for (let c = 0; c < from.channels; c++, at++) {
      reals[c * area + i] = from.scale * (codes[at]! - from.zeroPoint);
    }
  }
  return reals;
}

/** NHWC codes in NCHW order. */
export function codesToNchw(codes: Codes, shape: ImageShape): Codes {
  const area = shape.height * shape.width;
  const moved = codes.slice();
  for (let i = 0, at = 0; i < area; i++) {
    for (let c = 0; c < shape.channels; c++, at++) moved[c * area + i] = codes[at]!;
  }
  return moved;
}

/** f32 NCHW reals to the nearest NHWC codes (ties away from zero), saturated. */
export function quantizeFromNchw(reals: Float32Array, to: Quantization & ImageShape): Codes {
  const [minCode, maxCode] = codeRange[to.dtype];
  const area = to.height * to.width;
  const codes = new arrays[to.dtype](reals.length);
  for (let c = 0, at = 0; c < to.channels; c++) {
    for (let i = 0; i < area; i++, at++) {
      const steps = reals[at]! / to.scale;
      const code = Math.sign(steps) * Math.round(Math.abs(steps)) + to.zeroPoint;
      codes[i * to.channels + c] = Math.min(Math.max(code, minCode), maxCode);
    }
  }
  return codes;
}
