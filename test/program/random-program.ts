// SPDX-License-Identifier: Apache-2.0
// Small random programs that are valid by construction and reach every operation, type, rule and
// form of the specification, with ties, saturation and extreme constants where they are likely.
import type { Interval } from '../../src/program/check/stages.js';
import type { Codes } from '../../src/program/executor.js';
import { floatRules } from '../../src/program/format.js';
import { allocate } from '../../src/program/interpret.js';
import { windowOutput } from '../../src/program/interpret/window.js';
import {
  codeRange,
  type Accumulator,
  type AddForm,
  type CodeClamp,
  type CodeType,
  type ConvOp,
  type Op,
  type Pads,
  type Pair,
  type Program,
  type ProgramTensor,
  type Requant,
  type SoftmaxForm,
} from '../../src/program/program.js';
import { fixedRules, roundRules } from '../../src/program/rounding.js';
import { Random } from './random.js';
import { randomStages } from './random-stages.js';

export interface RandomProgramOptions {
  /** Operations to choose from; all by default. Others may appear to prepare their inputs. */
  readonly ops?: readonly Op['op'][];
  /** Operations at most; 6 by default. */
  readonly length?: number;
  /** Types of the input; u8 and s8, rarely s16, by default. */
  readonly inputTypes?: readonly ('u8' | 's8' | 's16')[];
  /** Only 32-bit accumulators that wrap at the end, as most targets have. */
  readonly plainAccumulators?: boolean;
}

/** Repeated where there is more to reach. */
const allOps: readonly Op['op'][] = [
  'conv',
  'conv',
  'conv',
  'add',
  'add',
  'add',
  'mul',
  'averagePool',
  'maxPool',
  'concat',
  'pad',
  'reshape',
  'lut',
  'softmax',
  'splice',
];

/** A valid program; equal seeds and options give equal programs. */
export function randomProgram(seed: number, options: RandomProgramOptions = {}): Program {
  const random = new Random(seed);
  const builder = new Builder(random, options);
  const length = random.integer(1, options.length ?? 6);
  for (let n = 0; n < length; ++n) builder.appendOp(random.pick(options.ops ?? allOps));
  return builder.finish(seed);
}

/** Input codes for a program: noise, extremes, or few distinct values. */
export function randomCodes(program: Program, seed: number): Codes {
  const random = new Random(seed);
  const tensor = program.tensors[program.input]!;
  const [least, greatest] = codeRange[tensor.dtype];
  const style = random.integer(0, 3);
  return allocate(tensor).map(() => {
    if (style === 0) return random.pick([least, greatest]);
    if (style === 1)
      return Math.min(Math.max(tensor.zeroPoint + random.integer(-2, 2), least), greatest);
    return random.integer(least, greatest);
  });
}

type CodeSize = Pick<ProgramTensor, 'height' | 'width' | 'channels'>;

class Builder {
  private readonly tensors: ProgramTensor[] = [];
  private readonly ops: Op[] = [];

  constructor(
    private readonly random: Random,
    private readonly options: RandomProgramOptions,
  ) {
    const type = random.pick<CodeType>(options.inputTypes ?? ['u8', 'u8', 's8', 's8', 's8', 's16']);
    const [height, width] = [random.integer(1, 11), random.integer(1, 11)];
    this.append(type, { height, width, channels: this.channelCount() });
  }

  finish(seed: number): Program {
    const { random } = this;
    const written = this.ops.map((op) => op.output);
    const others = written.slice(0, -1).filter(() => random.chance(0.2));
    return {
      target: 'random@1',
      metadata: { 'lastbit.seed': `${seed}` },
      tensors: this.tensors,
      input: 0,
      inputQuantization: {
        form: random.pick(['divide', 'multiplyInverse']),
        rule: random.pick(['halfAway', 'halfEven']),
      },
      outputs: [written.at(-1)!, ...others],
      ops: this.ops,
    };
  }

  /** Appends one operation of this kind, and before it what its inputs need. */
  appendOp(kind: Op['op']): void {
    switch (kind) {
      case 'conv':
        this.conv(this.source());
        break;
      case 'add':
        this.add();
        break;
      case 'mul':
        this.mul();
        break;
      case 'averagePool':
        this.averagePool(this.source());
        break;
      case 'maxPool':
        this.maxPool(this.source());
        break;
      case 'concat':
        this.concat();
        break;
      case 'pad':
        this.pad(this.source());
        break;
      case 'reshape':
        this.reshape();
        break;
      case 'lut':
        this.lut(this.random.chance(0.1) ? this.source() : this.eightBits());
        break;
      case 'softmax':
        this.softmax();
        break;
      case 'splice':
        this.splice();
        break;
    }
  }

  // Tensors

  private channelCount(): number {
    return this.random.pick([1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65]);
  }

  private zeroPoint(type: CodeType): number {
    const [least, greatest] = codeRange[type];
    const usual = type === 'u8' ? 128 : 0;
    const { random } = this;
    return random.pick([usual, usual, least, greatest, random.integer(least, greatest)]);
  }

  private append(
    dtype: CodeType,
    { height, width, channels }: CodeSize,
    zeroPoint?: number,
  ): number {
    this.tensors.push({
      name: `t${this.tensors.length}`,
      dtype,
      height,
      width,
      channels,
      zeroPoint: zeroPoint ?? this.zeroPoint(dtype),
      scale: Math.fround(this.random.magnitude(1e-4, 1)),
    });
    return this.tensors.length - 1;
  }

  private tensor(index: number): ProgramTensor {
    return this.tensors[index]!;
  }

  /** A tensor that operations may read, preferably a recent one. */
  private source(fits: (tensor: ProgramTensor) => boolean = () => true): number {
    const found = this.tensors
      .map((_, i) => i)
      .filter((i) => this.tensor(i).dtype !== 's32' && fits(this.tensor(i)));
    return this.random.chance(0.6) ? found.at(-1)! : this.random.pick(found);
  }

  private find(fits: (tensor: ProgramTensor) => boolean): number | undefined {
    const found = this.tensors.map((_, i) => i).filter((i) => fits(this.tensor(i)));
    return found.length === 0 ? undefined : this.random.pick(found);
  }

  /** A tensor of 8 bits; made by a convolution where there is none. */
  private eightBits(): number {
    const is = ({ dtype }: ProgramTensor): boolean => dtype === 'u8' || dtype === 's8';
    if (this.find(is) === undefined)
      return this.conv(this.source(), this.random.pick(['u8', 's8']));
    return this.source(is);
  }

  /** Another tensor of the same shape; made by a pointwise convolution in most cases. */
  private partner(index: number, type?: CodeType): number {
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

  private eightBitType(): 'u8' | 's8' {
    return this.random.pick(['u8', 's8']);
  }

  private resultType(): CodeType {
    return this.random.pick(['u8', 'u8', 'u8', 's8', 's8', 's8', 's16']);
  }

  private push(op: Op): number {
    this.ops.push(op);
    return op.output;
  }

  private name(kind: string): string {
    return `${kind}_${this.ops.length}`;
  }

  // Constants

  private clamp(type: CodeType, channels: number): CodeClamp {
    const { random } = this;
    const [least, greatest] = codeRange[type];
    const bounds = (): readonly [number, number] => {
      if (random.chance(0.5)) return [least, greatest];
      const ends = [random.integer(least, greatest), random.integer(least, greatest)] as const;
      return [Math.min(...ends), Math.max(...ends)];
    };
    const count = random.chance(0.3) ? channels : 1;
    const pairs = Array.from({ length: count }, bounds);
    return { lo: Int32Array.from(pairs, ([lo]) => lo), hi: Int32Array.from(pairs, ([, hi]) => hi) };
  }

  /**
   * @param reach magnitude that accumulators commonly reach
   * @param interval least and greatest accumulator of any channel
   * @param wide more than 32 bits: plain rules only
   */
  private requant(
    type: CodeType,
    channels: number,
    reach: number,
    interval: Interval,
    wide = false,
  ): Requant {
    const { random } = this;
    if (type === 's32') return { kind: 'none' };
    const count = random.chance(0.6) ? channels : 1;
    const range = type === 's16' ? 2 ** 15 : 2 ** 7;
    const factor = (): number => random.magnitude(range / reach / 4, (range / reach) * 8);
    const style = random.pick(['usual', 'usual', 'dyadic', 'dyadic', 'extreme'] as const);
    const kind = random.pick([
      'fixed',
      'fixed',
      'fixed',
      'f32',
      'shift',
      'stages',
      'stages',
      'f32Rule',
      'f64',
    ] as const);
    switch (kind) {
      case 'fixed': {
        const pairs = Array.from({ length: count }, () => this.multiplier(factor(), style));
        return {
          kind,
          multiplier: Int32Array.from(pairs, ([m]) => m),
          shift: Uint8Array.from(pairs, ([, s]) => s),
          rule: random.pick(wide ? roundRules : [...fixedRules, 'gemmlowp2', 'ruyx86']),
        };
      }
      case 'f64': {
        const one = (): number =>
          style === 'dyadic' ? 2 ** Math.round(Math.log2(factor())) : factor();
        const most = style === 'extreme' ? 2 ** random.integer(-64, 64) : undefined;
        return { kind, scale: Float64Array.from({ length: count }, () => most ?? one()) };
      }
      case 'f32':
      case 'f32Rule': {
        const one = (): number => {
          if (style === 'dyadic') return 2 ** Math.round(Math.log2(factor()));
          return style === 'extreme' ? random.magnitude(1e-37, 1e37) : factor();
        };
        const scale = Float32Array.from({ length: count }, one);
        return kind === 'f32' ? { kind, scale } : { kind, scale, rule: random.pick(floatRules) };
      }
      case 'stages':
        return randomStages(random, { channels, interval, common: reach, range });
      case 'shift': {
        const shift = (): number =>
          style === 'extreme'
            ? random.integer(-31, 62)
            : Math.min(Math.max(Math.round(-Math.log2(factor())), -31), 62);
        return {
          kind,
          shift: Int8Array.from({ length: count }, shift),
          rule: random.pick(roundRules),
        };
      }
    }
  }

  private multiplier(
    factor: number,
    style: 'usual' | 'dyadic' | 'extreme',
  ): readonly [number, number] {
    const { random } = this;
    if (style === 'extreme') {
      const m = random.pick([0, 1, 2 ** 30, 2 ** 31 - 1, random.integer(0, 2 ** 31 - 1)]);
      return [m, random.integer(1, 62)];
    }
    const exponent = Math.floor(Math.log2(factor)) + 1;
    const m = style === 'dyadic' ? 2 ** 30 : random.integer(2 ** 30, 2 ** 31 - 1);
    return [m, Math.min(Math.max(31 - exponent, 1), 62)];
  }

  private accumulator(input: ProgramTensor, mayPair: boolean): Accumulator {
    const { random } = this;
    const plain = {
      bits: 32,
      overflow: 'wrap',
      when: 'end',
      products: 'exact',
      biasFirst: false,
    } as const;
    if (this.options.plainAccumulators === true || random.chance(0.5)) return plain;
    const pairs = mayPair && input.dtype === 'u8' && random.chance(0.5);
    const narrow = random.integer(16, 24);
    return {
      bits: random.pick([16, narrow, narrow, 32, random.integer(16, 64), 40, 48, 64]),
      // Traps end a run, so they are rarer.
      overflow: random.pick([
        'wrap',
        'wrap',
        'saturate',
        'saturate',
        'saturateSymmetric',
        'trap',
      ] as const),
      when: pairs ? 'end' : random.pick(['each', 'each', 'end'] as const),
      products: pairs ? 'satPairs16' : 'exact',
      biasFirst: random.chance(0.5),
    };
  }

  // Operations

  private conv(index: number, type?: CodeType): number {
    const { random } = this;
    const input = this.tensor(index);
    const window = this.window(input, true);
    const groups = this.groups(input.channels);
    const perGroup = random.pick([1, 1, 2, 3]);
    const outputs = groups === 1 ? this.channelCount() : groups * perGroup;
    const size = convSize(window, input, outputs);
    return this.convOp(index, window, groups, size, type ?? this.convType());
  }

  private convType(): CodeType {
    return this.random.chance(0.08) ? 's32' : this.resultType();
  }

  private pointwise(index: number, channels: number, type: CodeType): number {
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

  private groups(channels: number): number {
    const { random } = this;
    if (random.chance(0.35) || channels > 200) return channels;
    if (random.chance(0.6)) return 1;
    return random.pick(
      Array.from({ length: channels }, (_, i) => i + 1).filter((g) => channels % g === 0),
    );
  }

  private convOp(
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

  private weights(type: ConvOp['weightType'], count: number): ConvOp['weights'] {
    const { random } = this;
    const arrays = { s8: Int8Array, u8: Uint8Array, s16: Int16Array } as const;
    const [least, greatest] = codeRange[type];
    const style = random.integer(0, 3);
    return new arrays[type](count).map(() => {
      if (style === 0) return random.pick([least, greatest]);
      if (style === 1) return least;
      return random.integer(least, greatest);
    });
  }

  /** A window that fits, with asymmetric pads; every position of a pool's window holds a pixel. */
  private window({ height, width }: CodeSize, dilated: boolean): ConvWindow {
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

  private add(): void {
    const { random } = this;
    const a = this.source();
    const b = this.partner(a);
    const inputs = random.chance(0.5) ? [a, b] : [b, a];
    const type = this.resultType() as 'u8' | 's8' | 's16';
    const operands = inputs.map((i) => this.tensor(i));
    const output = this.append(type, this.tensor(a));
    this.push({
      op: 'add',
      name: this.name('add'),
      inputs,
      output,
      form: this.addForm(operands, type),
      clamp: this.clamp(type, 1),
    });
  }

  private addForm(operands: readonly ProgramTensor[], type: CodeType): AddForm {
    const { random } = this;
    const wide = operands.some(({ dtype }) => dtype === 's16');
    const gain = (wide ? 2 ** -8 : 1) * (type === 's16' ? 2 ** 8 : 1);
    const plain = ['rescaled', 'rescaled', 'aligned', 'f32', 'requant'] as const;
    const kind = random.pick([...plain, wide ? 'rescaled' : 'tables'] as const);
    switch (kind) {
      case 'rescaled': {
        const leftShift = wide
          ? random.integer(0, 14)
          : random.pick([20, 20, random.integer(0, 20)]);
        const style = random.pick(['usual', 'dyadic', 'extreme'] as const);
        // Halving at least keeps the sum within 32 bits.
        const operand = (): readonly [number, number] => {
          const [m, s] = this.multiplier(random.magnitude(0.02, 0.49), style);
          return [m, Math.max(s, 32)];
        };
        const [multiplierA, shiftA] = operand();
        const [multiplierB, shiftB] = operand();
        const out = random.magnitude(1, 4) * gain * 2 ** -leftShift;
        const [multiplierOut, shiftOut] = this.multiplier(out, style);
        const rule = random.pick(fixedRules);
        return {
          kind,
          leftShift,
          multiplierA,
          shiftA,
          multiplierB,
          shiftB,
          multiplierOut,
          shiftOut,
          rule,
        };
      }
      case 'aligned': {
        const rule = random.pick(roundRules);
        if (random.chance(0.4)) {
          const shift = random.integer(0, 6);
          const multiplier = (): number =>
            Math.max(1, Math.round(2 ** (shift - random.integer(0, 2)) * gain));
          return { kind, multiplierA: multiplier(), multiplierB: multiplier(), shift, rule };
        }
        const shift = random.pick([random.integer(12, 30), random.integer(0, 62)]);
        const multiplier = (): number =>
          Math.min(
            Math.round(random.magnitude(0.2, 1.5) * gain * 2 ** Math.min(shift, 30)),
            2 ** 31 - 1,
          );
        return { kind, multiplierA: multiplier(), multiplierB: multiplier(), shift, rule };
      }
      case 'f32': {
        const form = random.pick(['separate', 'fused', 'direct'] as const);
        const decimal = random.chance(0.5); // round decimals separate the forms
        const ratio = (): number =>
          Math.fround(decimal ? random.integer(1, 30) / 20 : random.magnitude(0.1, 2)) * gain;
        const extreme = (): number => 2 ** random.integer(-64, 64);
        const pick = random.chance(0.1) ? extreme : ratio;
        return {
          kind,
          form,
          scaleA: Math.fround(pick()),
          scaleB: Math.fround(pick()),
          scaleOut: Math.fround(pick()),
        };
      }
      case 'requant': {
        const most = wide ? 2 ** 14 : 2 ** random.integer(0, 22);
        const [multiplierA, multiplierB] = [random.integer(0, most), random.integer(1, most)];
        const ends = ([0, 1] as const).map((end) =>
          operands.reduce((sum, { dtype, zeroPoint }, i) => {
            const multiplier = i === 0 ? multiplierA : multiplierB;
            return sum + BigInt(codeRange[dtype][end] - zeroPoint) * BigInt(multiplier);
          }, 0n),
        ) as [bigint, bigint];
        const reach = (wide ? 2 ** 14 : 2 ** 7) * most;
        return { kind, multiplierA, multiplierB, requant: this.requant(type, 1, reach, ends) };
      }
      case 'tables': {
        const most = 2 ** random.integer(4, 29);
        const table = (): Int32Array =>
          Int32Array.from({ length: 256 }, () => random.integer(-most, most));
        const ends = [BigInt(-2 * most), BigInt(2 * most)] as const;
        return {
          kind,
          tableA: table(),
          tableB: table(),
          requant: this.requant(type, 1, most, [...ends]),
        };
      }
    }
  }

  private mul(): void {
    const { random } = this;
    const a = this.eightBits();
    const { channels } = this.tensor(a);
    const b = random.chance(0.5)
      ? this.globalPool(a, this.eightBitType())
      : this.partner(a, this.eightBitType());
    const type = this.convType();
    const output = this.append(type, this.tensor(a));
    this.push({
      op: 'mul',
      name: this.name('mul'),
      inputs: [a, b],
      output,
      requant: this.requant(type, channels, 2 ** 13, [-(2n ** 16n), 2n ** 16n]),
      clamp: this.clamp(type, channels),
    });
  }

  private globalPool(index: number, type: CodeType): number {
    const { height, width } = this.tensor(index);
    const window = { kernel: [height, width], strides: [1, 1], pads: [0, 0, 0, 0] } as const;
    return this.requantPool(index, window, type);
  }

  private requantPool(index: number, window: PoolWindow, type: CodeType): number {
    const input = this.tensor(index);
    const { channels } = input;
    const output = this.append(type, poolSize(window, input));
    const reach = window.kernel[0] * window.kernel[1] * (input.dtype === 's16' ? 2 ** 14 : 2 ** 6);
    const greatest =
      BigInt(window.kernel[0] * window.kernel[1]) << (input.dtype === 's16' ? 16n : 8n);
    return this.push({
      op: 'averagePool',
      name: this.name('averagePool'),
      inputs: [index],
      output,
      ...window,
      form: {
        kind: 'requant',
        requant: this.requant(type, channels, reach, [-greatest, greatest]),
      },
      clamp: this.clamp(type, channels),
    });
  }

  private poolWindow(input: CodeSize): PoolWindow {
    for (;;) {
      const { kernel, strides, pads } = this.window(input, false);
      const [rows, columns] = windowOutput({ kernel, strides, pads }, input.height, input.width);
      const inside = (count: number, axis: 0 | 1, extent: number): boolean =>
        (count - 1) * strides[axis] - pads[axis] < extent;
      if (inside(rows, 0, input.height) && inside(columns, 1, input.width))
        return { kernel, strides, pads };
    }
  }

  private averagePool(index: number): void {
    const { random } = this;
    const input = this.tensor(index);
    if (random.chance(0.3)) {
      this.globalPool(index, this.convType());
      return;
    }
    const window = this.poolWindow(input);
    const kind = random.pick(['requant', 'requant', 'divide', 'divide', 'f32Window'] as const);
    if (kind === 'requant') {
      this.requantPool(index, window, this.resultType());
      return;
    }
    if (kind === 'f32Window') {
      this.floatPool(index, window);
      return;
    }
    this.push({
      op: 'averagePool',
      name: this.name('averagePool'),
      inputs: [index],
      output: this.append(input.dtype, poolSize(window, input), input.zeroPoint),
      ...window,
      form: { kind: 'divide', rule: random.pick(['halfAway', 'halfUp', 'trunc0']) },
      clamp: this.clamp(input.dtype, input.channels),
    });
  }

  private floatPool(index: number, window: PoolWindow): void {
    const { random } = this;
    const input = this.tensor(index);
    const type = this.convType();
    const scale = (): number => Math.fround(random.chance(0.3) ? 0.5 : random.magnitude(0.05, 0.2));
    const extreme = random.chance(0.1);
    this.push({
      op: 'averagePool',
      name: this.name('averagePool'),
      inputs: [index],
      output: this.append(type, poolSize(window, input)),
      ...window,
      form: {
        kind: 'f32Window',
        scaleIn: extreme ? 2 ** random.integer(-64, 64) : scale(),
        scaleOut: extreme ? 2 ** random.integer(-64, 64) : scale(),
      },
      clamp: this.clamp(type, input.channels),
    });
  }

  private maxPool(index: number): void {
    const input = this.tensor(index);
    const window = this.poolWindow(input);
    this.push({
      op: 'maxPool',
      name: this.name('maxPool'),
      inputs: [index],
      output: this.append(input.dtype, poolSize(window, input), input.zeroPoint),
      ...window,
      clamp: this.clamp(input.dtype, input.channels),
    });
  }

  private concat(): void {
    const { random } = this;
    const first = this.source();
    const { height, width, dtype, zeroPoint } = this.tensor(first);
    const fits = (t: ProgramTensor): boolean =>
      t.height === height && t.width === width && t.dtype === dtype && t.zeroPoint === zeroPoint;
    const inputs = [first];
    while (inputs.length < 4 && random.chance(0.6)) inputs.push(this.find(fits)!);
    const channels = inputs.reduce((sum, i) => sum + this.tensor(i).channels, 0);
    const output = this.append(dtype, { height, width, channels }, zeroPoint);
    this.push({ op: 'concat', name: this.name('concat'), inputs, output });
  }

  private pad(index: number): void {
    const { height, width, channels, dtype, zeroPoint } = this.tensor(index);
    const side = (): number => this.random.integer(0, 3);
    const pads: Pads = [side(), side(), side(), side()];
    const size = { height: height + pads[0] + pads[2], width: width + pads[1] + pads[3], channels };
    const output = this.append(dtype, size, zeroPoint);
    this.push({ op: 'pad', name: this.name('pad'), inputs: [index], output, pads });
  }

  private reshape(): void {
    const { random } = this;
    const index = random.integer(0, this.tensors.length - 1); // may be s32
    const { height, width, channels, dtype, zeroPoint } = this.tensor(index);
    const count = height * width * channels;
    const sizes: CodeSize[] = [
      { height: 1, width: 1, channels: count },
      { height: channels, width: height, channels: width },
      { height: width, width: 1, channels: height * channels },
    ];
    const output = this.append(dtype, random.pick(sizes), zeroPoint);
    this.push({ op: 'reshape', name: this.name('reshape'), inputs: [index], output });
  }

  private lut(index: number): void {
    const { random } = this;
    const type = random.chance(0.05) ? 's32' : this.resultType();
    const [least, greatest] = codeRange[type];
    const output = this.append(type, this.tensor(index));
    const length = this.tensor(index).dtype === 's16' ? 65536 : 256;
    const table = Int32Array.from({ length }, () => random.integer(least, greatest));
    this.push({ op: 'lut', name: this.name('lut'), inputs: [index], output, table });
  }

  /** Two ways to the same image, cut together at any code. */
  private splice(): void {
    const { random } = this;
    const a = this.source();
    const { height, width, channels, dtype, zeroPoint } = this.tensor(a);
    const size = height * width * channels;
    const alike = this.find(
      (t) =>
        t.height === height &&
        t.width === width &&
        t.channels === channels &&
        t.dtype === dtype &&
        t.zeroPoint === zeroPoint &&
        t !== this.tensor(a),
    );
    if (alike === undefined || size < 2) {
      this.pad(a);
      return;
    }
    const period = random.pick([size, Math.max(channels, 2), random.integer(2, size)]);
    this.push({
      op: 'splice',
      name: this.name('splice'),
      inputs: random.chance(0.5) ? [a, alike] : [alike, a],
      output: this.append(dtype, { height, width, channels }, zeroPoint),
      period,
      from: random.integer(1, period - 1),
    });
  }

  private wideSoftmax(index: number): void {
    const { random } = this;
    const steep = random.magnitude(1e-4, 0.1);
    const code = (x: number): number => Math.min(Math.round(x * 32768), 32767);
    this.push({
      op: 'softmax',
      name: this.name('softmax'),
      inputs: [index],
      output: this.append('s16', this.tensor(index)),
      form: {
        kind: 'wideTable',
        exp: Int16Array.from({ length: 65536 }, (_, i) => code(Math.exp(-steep * i))),
        reciprocal: Int16Array.from({ length: 65536 }, (_, i) => code(1 / (1 + i / 65535))),
      },
    });
  }

  private softmax(): void {
    const wide = this.find(({ dtype }) => dtype === 's16');
    if (wide !== undefined && this.random.chance(0.15)) {
      this.wideSoftmax(wide);
      return;
    }
    const index = this.eightBits();
    const output = this.append(this.eightBitType(), this.tensor(index));
    this.push({
      op: 'softmax',
      name: this.name('softmax'),
      inputs: [index],
      output,
      form: this.softmaxForm(index),
    });
  }

  private softmaxForm(index: number): SoftmaxForm {
    const { random } = this;
    if (random.chance(0.5) && this.tensor(index).channels <= 4095) {
      const leftShift = random.pick([random.integer(18, 26), random.integer(0, 31)]);
      const least = -Math.floor((31 * 2 ** 26) / 2 ** leftShift);
      return {
        kind: 'gemmlowp',
        multiplier: random.pick([
          2 ** 30,
          random.integer(2 ** 30, 2 ** 31 - 1),
          random.integer(0, 2 ** 31 - 1),
        ]),
        leftShift,
        diffMin: random.chance(0.8) ? least : random.integer(Math.max(least, -256), 0),
      };
    }
    const scale = random.magnitude(1e-3, 1);
    const dyadic = random.chance(0.3); // powers of two tie
    const entry = (_: unknown, i: number): number =>
      dyadic ? 2 ** -Math.min(i, 20) : Math.exp(-scale * i);
    return {
      kind: 'f32Table',
      table: Float32Array.from({ length: 256 }, entry),
      outputScale: random.pick([1 / 256, Math.fround(1 / 255), 2 ** -10]),
      rule: random.pick(['halfAway', 'truncHalf']),
    };
  }
}

interface Axis {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

interface PoolWindow {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly pads: Pads;
}

interface ConvWindow extends PoolWindow {
  readonly dilations: Pair;
}

/** What accumulators of any channel can reach; as NOTES.md bounds them for `stages`. */
function sumInterval(
  { dtype, zeroPoint }: ProgramTensor,
  weights: ConvOp['weights'],
  zeroPoints: Int32Array,
  biases: Int32Array,
  { bits, products }: Accumulator,
): Interval {
  const [least, greatest] = codeRange[dtype];
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

function poolSize(window: PoolWindow, { height, width, channels }: CodeSize): CodeSize {
  const [rows, columns] = windowOutput(window, height, width);
  return { height: rows, width: columns, channels };
}
