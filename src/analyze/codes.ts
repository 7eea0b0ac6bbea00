// SPDX-License-Identifier: Apache-2.0
import { type Codes, codeLimits, codeArrays, clampInteger } from '../numeric/code-types.js';
import { roundHalfAway } from '../numeric/round.js';
import type { Quantization } from './saturation.js';

/** Height, width and channels of one image. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

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
  const [min, max] = codeLimits(to.dtype);
  const area = to.height * to.width;
  const codes = new codeArrays[to.dtype](reals.length);
  for (let c = 0, at = 0; c < to.channels; c++) {
    for (let i = 0; i < area; i++, at++) {
      const code = roundHalfAway(reals[at]! / to.scale) + to.zeroPoint;
      codes[i * to.channels + c] = clampInteger(code, min, max);
    }
  }
  return codes;
}
