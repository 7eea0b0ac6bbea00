// SPDX-License-Identifier: Apache-2.0
// Sums of products over windows, exact: ConvInteger on bytes.
import { codeLimits } from '../numeric/code-types.js';
import { attribute } from '../onnx/file/builder.js';
import type { WindowShape } from '../program/window.js';
import { type Bounds, type Interval, larger } from './bounds.js';
import { type ByteArray, type ByteTensor, codeBytes, weightBytes } from './digits.js';
import { type Integers, integers, sum, times } from './integers.js';
import type { CodesTensor, Steps } from './steps.js';

/** Weights less their zero points: [oc][ky][kx][ic / groups]. */
export interface Weights {
  readonly values: Int32Array;
  readonly channels: number;
  readonly groups: number;
}

/** Of each output channel: the sum over its window of (code - zeroPoint) * weight. */
export function windowSums(
  steps: Steps,
  window: WindowShape,
  input: CodesTensor,
  zeroPoint: number,
  weights: Weights,
): Integers {
  const perChannel = weights.values.length / weights.channels;
  const shape = kernelShape(window, perChannel, weights.channels);
  const transposed = toKernelOrder(weights.values, shape);
  const operands = codeBytes(steps, input, zeroPoint);
  const parts = weightBytes(transposed).flatMap((weight) => {
    requireInt32(steps, weight, perChannel);
    return operands.map((operand) =>
      convInteger(steps, window, operand, weight, { shape, groups: weights.groups }),
    );
  });
  const total = parts.reduce((a, b) => sum(steps, a, b));
  return { ...total, bounds: sumBounds(input, zeroPoint, weights) };
}

type KernelShape = readonly [oc: number, ic: number, height: number, width: number];

function kernelShape({ kernel }: WindowShape, perChannel: number, channels: number): KernelShape {
  return [channels, perChannel / (kernel[0] * kernel[1]), ...kernel];
}

/** [oc][ky][kx][ic] to ONNX's [oc][ic][ky][kx]. */
function toKernelOrder(
  values: Int32Array,
  [channels, inputs, height, width]: KernelShape,
): Int32Array {
  const positions = height * width;
  const ordered = new Int32Array(values.length);
  for (let o = 0; o < channels; ++o) {
    for (let k = 0; k < positions; ++k) {
      for (let i = 0; i < inputs; ++i) {
        ordered[(o * inputs + i) * positions + k] = values[(o * positions + k) * inputs + i]!;
      }
    }
  }
  return ordered;
}

function convInteger(
  steps: Steps,
  { kernel, strides, dilations = [1, 1], pads }: WindowShape,
  operand: ByteTensor,
  weight: ByteArray,
  { shape, groups }: { readonly shape: KernelShape; readonly groups: number },
): Integers {
  const byte = (value: number): string => steps.constant('u8', [], Uint8Array.of(value));
  const inputs = [
    operand.tensor,
    steps.constant('u8', shape, weight.bytes),
    byte(operand.zeroPoint),
    byte(weight.zeroPoint),
  ];
  const sums = steps.node('ConvInteger', inputs, {
    kernel_shape: attribute.ints(kernel),
    strides: attribute.ints(strides),
    dilations: attribute.ints(dilations),
    pads: attribute.ints(pads),
    group: attribute.int(groups),
  });
  const range: Interval = [-(1n << 31n), (1n << 31n) - 1n];
  const wide = integers(steps, steps.cast(sums, 's64'), [range]);
  return times(steps, wide, [operand.factor * weight.factor]);
}

/** ConvInteger sums in 32 bits. */
function requireInt32(steps: Steps, { bytes, zeroPoint }: ByteArray, perChannel: number): void {
  for (let first = 0; first < bytes.length; first += perChannel) {
    let size = 0;
    for (const byte of bytes.subarray(first, first + perChannel))
      size += Math.abs(byte - zeroPoint);
    if (size * 255 >= 2 ** 31) steps.refuse('its sums need more than the 32 bits of ConvInteger');
  }
}

/** What the sums of each channel can be, for all images. */
function sumBounds(input: CodesTensor, zeroPoint: number, weights: Weights): Bounds {
  const [lo, hi] = codeLimits(input.dtype).map((code) => code - zeroPoint) as [number, number];
  const perChannel = weights.values.length / weights.channels;
  return Array.from({ length: weights.channels }, (_, o): Interval => {
    let [least, greatest] = [0, 0];
    for (const w of weights.values.subarray(o * perChannel, (o + 1) * perChannel)) {
      least += Math.min(w * lo, w * hi);
      greatest += Math.max(w * lo, w * hi);
    }
    return [BigInt(least), BigInt(greatest)];
  });
}

/** The greatest magnitude of any partial sum of any channel, its bias included. */
export function largestPartialSum(
  input: CodesTensor,
  zeroPoint: number,
  weights: Weights,
  bias: Int32Array,
): bigint {
  return sumBounds(input, zeroPoint, weights)
    .map(([least, greatest], o) => {
      const start = BigInt(bias[o]!);
      return larger(larger(start, 0n) + greatest, larger(-start, 0n) - least);
    })
    .reduce(larger, 0n);
}
