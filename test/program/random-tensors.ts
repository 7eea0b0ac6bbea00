// SPDX-License-Identifier: Apache-2.0
// Of a random program: its tensors, and the clamps, requantizations and accumulators of its operations.
import { codeLimits, type CodeType } from '../../src/numeric/code-types.js';
import { fixedRules } from '../../src/numeric/requant.js';
import { floatRules, roundRules } from '../../src/numeric/round.js';
import type { Interval } from '../../src/program/check/stages.js';
import type {
  Accumulator,
  CodeClamp,
  Op,
  Pads,
  Pair,
  ProgramTensor,
  Requant,
} from '../../src/program/program.js';
import { randomStages } from './random-stages.js';
import type { Random } from './random.js';

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

export type CodeSize = Pick<ProgramTensor, 'height' | 'width' | 'channels'>;

export interface PoolWindow {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly pads: Pads;
}

/** The program so far; the families of operations build on it. */
export class RandomTensors {
  protected readonly tensors: ProgramTensor[] = [];
  protected readonly ops: Op[] = [];

  constructor(
    protected readonly random: Random,
    protected readonly options: RandomProgramOptions,
  ) {
    const type = random.pick<CodeType>(options.inputTypes ?? ['u8', 'u8', 's8', 's8', 's8', 's16']);
    const [height, width] = [random.integer(1, 11), random.integer(1, 11)];
    this.append(type, { height, width, channels: this.channelCount() });
  }

  protected channelCount(): number {
    return this.random.pick([1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65]);
  }

  protected zeroPoint(type: CodeType): number {
    const [least, greatest] = codeLimits(type);
    const usual = type === 'u8' ? 128 : 0;
    const { random } = this;
    return random.pick([usual, usual, least, greatest, random.integer(least, greatest)]);
  }

  protected append(
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

  protected tensor(index: number): ProgramTensor {
    return this.tensors[index]!;
  }

  /** A tensor that operations may read, preferably a recent one. */
  protected source(fits: (tensor: ProgramTensor) => boolean = () => true): number {
    const found = this.tensors
      .map((_, i) => i)
      .filter((i) => this.tensor(i).dtype !== 's32' && fits(this.tensor(i)));
    return this.random.chance(0.6) ? found.at(-1)! : this.random.pick(found);
  }

  protected find(fits: (tensor: ProgramTensor) => boolean): number | undefined {
    const found = this.tensors.map((_, i) => i).filter((i) => fits(this.tensor(i)));
    return found.length === 0 ? undefined : this.random.pick(found);
  }
  protected eightBitType(): 'u8' | 's8' {
    return this.random.pick(['u8', 's8']);
  }

  protected resultType(): CodeType {
    return this.random.pick(['u8', 'u8', 'u8', 's8', 's8', 's8', 's16']);
  }

  protected push(op: Op): number {
    this.ops.push(op);
    return op.output;
  }

  protected name(kind: string): string {
    return `${kind}_${this.ops.length}`;
  }

  // Constants

  protected clamp(type: CodeType, channels: number): CodeClamp {
    const { random } = this;
    const [least, greatest] = codeLimits(type);
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
  protected requant(
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

  protected multiplier(
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

  protected accumulator(input: ProgramTensor, mayPair: boolean): Accumulator {
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
}
