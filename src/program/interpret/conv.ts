// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "conv".
import { type Codes, codeLimits } from '../../numeric/code-types.js';
import { entry } from '../per-channel.js';
import type { Accumulator, ConvOp, ProgramTensor } from '../program.js';
import { forEachPixel } from '../window.js';
import { finisher, type Integer } from './finish.js';

/** Where an accumulator left its range: NHWC index of the output element, and the value. */
export interface TrapSite {
  readonly element: number;
  readonly value: bigint;
}

class Trapped extends Error {
  constructor(readonly value: bigint) {
    super('accumulator out of range');
  }
}

/** Fills `y`; stops at the first trap and returns it. */
export function conv(
  op: ConvOp,
  input: ProgramTensor,
  output: ProgramTensor,
  x: Codes,
  y: Codes,
): TrapSite | undefined {
  const accumulate = accumulator(op, input, x);
  const finish = finisher(op.requant, op.clamp, output.zeroPoint);
  let element = 0;
  try {
    for (let oy = 0; oy < output.height; ++oy) {
      for (let ox = 0; ox < output.width; ++ox) {
        for (let o = 0; o < output.channels; ++o, ++element) {
          y[element] = finish(accumulate(oy, ox, o), o);
        }
      }
    }
  } catch (error) {
    if (error instanceof Trapped) return { element, value: error.value };
    throw error;
  }
  return undefined;
}

type Accumulate = (oy: number, ox: number, o: number) => Integer;

function accumulator(op: ConvOp, input: ProgramTensor, x: Codes): Accumulate {
  const { accumulator: rule } = op;
  if (rule.products === 'satPairs16') return saturatedPairs(op, input, x);
  const terms = operands(op, input, x);
  const bound = largestSum(op, input, terms.weights);
  if (bound >= 2 ** 53) return bigSums(op, input, terms);
  // No partial sum exceeds the bound, so within the range of n bits `overflow` changes nothing.
  if (bound < 2 ** (rule.bits - 1)) return plainSums(op, input, terms);
  return rule.when === 'end'
    ? sumsOverflowingOnce(op, input, terms)
    : sumsOverflowingEach(op, input, terms);
}

/** x - z and w - zw for all of the image and all weights. */
interface Operands {
  readonly pixels: Int32Array;
  readonly weights: Int32Array;
}

function operands(op: ConvOp, input: ProgramTensor, x: Codes): Operands {
  const perChannel = op.weights.length / op.bias.length;
  const pixels = new Int32Array(x.length);
  for (let i = 0; i < x.length; ++i) pixels[i] = x[i]! - input.zeroPoint;
  const weights = new Int32Array(op.weights.length);
  for (let i = 0; i < weights.length; ++i) {
    weights[i] = op.weights[i]! - entry(op.weightZeroPoints, Math.floor(i / perChannel));
  }
  return { pixels, weights };
}

/** An upper bound of every partial sum's magnitude, over all images. */
function largestSum(op: ConvOp, input: ProgramTensor, weights: Int32Array): number {
  const [least, greatest] = codeLimits(input.dtype);
  const pixel = Math.max(greatest - input.zeroPoint, input.zeroPoint - least);
  const perChannel = weights.length / op.bias.length;
  let bound = 0;
  for (let o = 0; o < op.bias.length; ++o) {
    let sum = Math.abs(op.bias[o]!);
    for (const w of weights.subarray(o * perChannel, (o + 1) * perChannel))
      sum += Math.abs(w) * pixel;
    bound = Math.max(bound, sum);
  }
  return bound;
}

/** First input channel that output channel o reads, and how many. */
function channelsOf(
  op: ConvOp,
  input: ProgramTensor,
  o: number,
): readonly [first: number, count: number] {
  const count = input.channels / op.groups;
  return [Math.floor(o / (op.bias.length / op.groups)) * count, count];
}

function plainSums(
  op: ConvOp,
  input: ProgramTensor,
  { pixels, weights }: Operands,
): (oy: number, ox: number, o: number) => number {
  const { kernel } = op;
  return (oy, ox, o) => {
    const [first, count] = channelsOf(op, input, o);
    let sum = op.bias[o]!;
    forEachPixel(op, input, oy, ox, (pixel, position) => {
      const p = pixel * input.channels + first;
      const w = (o * kernel[0] * kernel[1] + position) * count;
      let atPixel = 0;
      for (let i = 0; i < count; ++i) atPixel += pixels[p + i]! * weights[w + i]!;
      sum += atPixel;
    });
    return sum;
  };
}

function sumsOverflowingOnce(op: ConvOp, input: ProgramTensor, terms: Operands): Accumulate {
  const sum = plainSums(op, input, terms);
  return (oy, ox, o) => overflow(sum(oy, ox, o), op.accumulator);
}

function sumsOverflowingEach(
  op: ConvOp,
  input: ProgramTensor,
  { pixels, weights }: Operands,
): Accumulate {
  const { kernel, accumulator: rule } = op;
  return (oy, ox, o) => {
    const [first, count] = channelsOf(op, input, o);
    const bias = op.bias[o]!;
    let sum = rule.biasFirst ? overflow(bias, rule) : 0;
    forEachPixel(op, input, oy, ox, (pixel, position) => {
      const p = pixel * input.channels + first;
      const w = (o * kernel[0] * kernel[1] + position) * count;
      for (let i = 0; i < count; ++i) {
        sum = overflow(sum + pixels[p + i]! * weights[w + i]!, rule);
      }
    });
    return rule.biasFirst ? sum : overflow(sum + bias, rule);
  };
}

/** Both of the above where sums need more than 53 bits. */
function bigSums(op: ConvOp, input: ProgramTensor, { pixels, weights }: Operands): Accumulate {
  const { kernel, accumulator: rule } = op;
  const each = rule.when === 'each';
  return (oy, ox, o) => {
    const [first, count] = channelsOf(op, input, o);
    const bias = BigInt(op.bias[o]!);
    let sum = each && rule.biasFirst ? overflowBig(bias, rule) : 0n;
    forEachPixel(op, input, oy, ox, (pixel, position) => {
      const p = pixel * input.channels + first;
      const w = (o * kernel[0] * kernel[1] + position) * count;
      for (let i = 0; i < count; ++i) {
        sum += BigInt(pixels[p + i]!) * BigInt(weights[w + i]!);
        if (each) sum = overflowBig(sum, rule);
      }
    });
    return each && rule.biasFirst ? sum : overflowBig(sum + bias, rule);
  };
}

/** x86's VPMADDUBSW: raw codes, neighbouring products saturated to 16 bits in pairs. */
function saturatedPairs(op: ConvOp, input: ProgramTensor, x: Codes): Accumulate {
  const { kernel, accumulator: rule } = op;
  const positions = kernel[0] * kernel[1];
  return (oy, ox, o) => {
    const [first, count] = channelsOf(op, input, o);
    const weights = op.weights.subarray(o * positions * count, (o + 1) * positions * count);
    const codes = new Int32Array(weights.length).fill(input.zeroPoint);
    forEachPixel(op, input, oy, ox, (pixel, position) => {
      const p = pixel * input.channels + first;
      codes.set(x.subarray(p, p + count), position * count);
    });
    let sum = op.bias[o]!;
    for (let k = 0; k < codes.length; k += 2) {
      const odd = k + 1 < codes.length ? codes[k + 1]! * weights[k + 1]! : 0;
      sum += Math.min(Math.max(codes[k]! * weights[k]! + odd, -32768), 32767);
      sum -= input.zeroPoint * (weights[k]! + (weights[k + 1] ?? 0));
    }
    return overflow(sum, rule);
  };
}

/** `overflow(v)` for |v| below 2^53. */
function overflow(v: number, { bits, overflow: mode }: Accumulator): number {
  const half = 2 ** (bits - 1);
  if (v >= (mode === 'saturateSymmetric' ? 1 - half : -half) && v < half) return v;
  switch (mode) {
    case 'wrap':
      return v - Math.floor((v + half) / (2 * half)) * 2 * half;
    case 'saturate':
      return v < 0 ? -half : half - 1;
    case 'saturateSymmetric':
      return v < 0 ? 1 - half : half - 1;
    case 'trap':
      throw new Trapped(BigInt(v));
  }
}

/** `overflow(v)` for any integer. */
function overflowBig(v: bigint, { bits, overflow: mode }: Accumulator): bigint {
  const half = 1n << BigInt(bits - 1);
  if (v >= (mode === 'saturateSymmetric' ? 1n - half : -half) && v < half) return v;
  switch (mode) {
    case 'wrap':
      return BigInt.asIntN(bits, v);
    case 'saturate':
      return v < 0n ? -half : half - 1n;
    case 'saturateSymmetric':
      return v < 0n ? 1n - half : half - 1n;
    case 'trap':
      throw new Trapped(v);
  }
}
