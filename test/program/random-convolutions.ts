// SPDX-License-Identifier: Apache-2.0
// Random convolutions, and the operands that other operations make by them.
import { codeLimits, type CodeType } from '../../src/numeric/code-types.js';
import type { Interval } from '../../src/program/check/stages.js';
import type { Accumulator, ConvOp, Pair, ProgramTensor } from '../../src/program/program.js';
import { windowOutput } from '../../src/program/window.js';
import { RandomTensors, type CodeSize, type PoolWindow } from './random-tensors.js';

interface Axis {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

interface ConvWindow extends PoolWindow {
  readonly dilations: Pair;
}

/** A program with convolutions. */
export class RandomConvolutions extends RandomTensors {
  /** A tensor of 8 bits; made by a convolution where there is none. */
  protected eightBits(): number {
    const is = ({ dtype }: ProgramTensor): boolean => dtype === 'u8' || dtype === 's8';
    if (this.find(is) === undefined)
      return this.conv(this.source(), this.random.pick(['u8', 's8']));
    return this.source(is);
  }

  /** Another tensor of the same shape; made by a pointwise convolution in most cases. */
  protected partner(index: number, type?: CodeType): number {
    const { height, width, channels } = this.tensor(index);
    const same = this.find(
      (t) =>
        t.height === height &&
        t.width === width &&
        t.channels === channels &&
        t.dtype !== 's32' &&
        (type === undefined || t.dtype === type),
    );
    if (same !== undefined && this.random.chance(0.3)) return same;
    return this.pointwise(index, channels, type ?? this.eightBitType());
  }
  protected conv(index: number, type?: CodeType): number {
    const { random } = this;
    const input = this.tensor(index);
    const window = this.window(input, true);
    const groups = this.groups(input.channels);
    const perGroup = random.pick([1, 1, 2, 3]);
    const outputs = groups === 1 ? this.channelCount() : groups * perGroup;
    const size = convSize(window, input, outputs);
    return this.convOp(index, window, groups, size, type ?? this.convType());
  }

  protected convType(): CodeType {
    return this.random.chance(0.08) ? 's32' : this.resultType();
  }

  protected pointwise(index: number, channels: number, type: CodeType): number {
    const window = {
      kernel: [1, 1],
      strides: [1, 1],
      dilations: [1, 1],
      pads: [0, 0, 0, 0],
    } as const;
    const { height, width } = this.tensor(index);
    const groups = channels > 65 ? channels : 1; // keeps the number of weights small
    return this.convOp(index, window, groups, { height, width, channels }, type);
  }

  protected groups(channels: number): number {
    const { random } = this;
    if (random.chance(0.35) || channels > 200) return channels;
    if (random.chance(0.6)) return 1;
    return random.pick(
      Array.from({ length: channels }, (_, i) => i + 1).filter((g) => channels % g === 0),
    );
  }

  protected convOp(
    index: number,
    window: ConvWindow,
    groups: number,
    size: CodeSize,
    type: CodeType,
  ): number {
    const { random } = this;
    const input = this.tensor(index);
    const terms = (window.kernel[0] * window.kernel[1] * input.channels) / groups;
    const weightType = random.pick(['s8', 's8', 's8', 's8', 'u8', 's16'] as const);
    const weights = this.weights(weightType, terms * size.channels);
    const accumulator = this.accumulator(input, weightType === 's8');
    const asymmetric =
      accumulator.products === 'exact' && (weightType === 'u8' || random.chance(0.15));
    const zeroPoint = (): number => (asymmetric ? this.zeroPoint(weightType) : 0);
    const zeroCount = random.chance(0.5) ? 1 : size.channels;
    const sizeOf = (t: CodeType): number => (t === 's16' ? 2 ** 13 : 2 ** 6);
    const reach = Math.sqrt(terms) * sizeOf(input.dtype) * sizeOf(weightType);
    const greatestBias = random.pick([0, reach, reach, 2 ** 31 - 1]);
    const bias = (): number =>
      Math.round((random.next() * 2 - 1) * Math.min(greatestBias, 2 ** 31 - 1));
    const weightZeroPoints = Int32Array.from({ length: zeroCount }, zeroPoint);
    const biases = Int32Array.from({ length: size.channels }, bias);
    const sums = sumInterval(input, weights, weightZeroPoints, biases, accumulator);
    const output = this.append(type, size);
    return this.push({
      op: 'conv',
      name: this.name('conv'),
      inputs: [index],
      output,
      ...window,
      groups,
      weightType,
      weights,
      weightZeroPoints,
      bias: biases,
      accumulator,
      requant: this.requant(type, size.channels, reach, sums, accumulator.bits > 32),
      clamp: this.clamp(type, size.channels),
    });
  }

  protected weights(type: ConvOp['weightType'], count: number): ConvOp['weights'] {
    const { random } = this;
    const arrays = { s8: Int8Array, u8: Uint8Array, s16: Int16Array } as const;
    const [least, greatest] = codeLimits(type);
    const style = random.integer(0, 3);
    return new arrays[type](count).map(() => {
      if (style === 0) return random.pick([least, greatest]);
      if (style === 1) return least;
      return random.integer(least, greatest);
    });
  }

  /** A window that fits, with asymmetric pads; every position of a pool's window holds a pixel. */
  protected window({ height, width }: CodeSize, dilated: boolean): ConvWindow {
    const { random } = this;
    const axis = (extent: number): Axis => {
      for (;;) {
        const kernel = random.pick([1, 1, 2, 3, 3, 3, 4, 5, extent]);
        const stride = random.pick([1, 1, 2, 2, 3]);
        const dilation = dilated ? random.pick([1, 1, 1, 2, 3]) : 1;
        const before = random.integer(0, kernel - 1);
        const after = random.pick([before, random.integer(0, kernel - 1)]);
        const span = extent + before + after - ((kernel - 1) * dilation + 1);
        if (span >= 0) return { kernel, stride, dilation, before, after };
      }
    };
    const [y, x] = [axis(height), axis(width)];
    return {
      kernel: [y.kernel, x.kernel],
      strides: [y.stride, x.stride],
      dilations: [y.dilation, x.dilation],
      pads: [y.before, x.before, y.after, x.after],
    };
  }
}

/** What accumulators of any channel can reach; as NOTES.md bounds them for `stages`. */
function sumInterval(
  { dtype, zeroPoint }: ProgramTensor,
  weights: ConvOp['weights'],
  zeroPoints: Int32Array,
  biases: Int32Array,
  { bits, products }: Accumulator,
): Interval {
  const [least, greatest] = codeLimits(dtype);
  const pixel = products === 'satPairs16' ? 510 : Math.max(greatest - zeroPoint, zeroPoint - least);
  const terms = weights.length / biases.length;
  const bounds = Array.from(biases, (bias, o) => {
    const zero = zeroPoints.length === 1 ? zeroPoints[0]! : zeroPoints[o]!;
    const channel = Array.from(weights.subarray(o * terms, (o + 1) * terms));
    return Math.abs(bias) + pixel * channel.reduce((sum, w) => sum + Math.abs(w - zero), 0);
  });
  const bound = BigInt(Math.max(...bounds));
  const half = 1n << BigInt(bits - 1);
  return [bound > half ? -half : -bound, bound > half - 1n ? half - 1n : bound];
}

function convSize(window: ConvWindow, { height, width }: CodeSize, channels: number): CodeSize {
  const [rows, columns] = windowOutput(window, height, width);
  return { height: rows, width: columns, channels };
}
