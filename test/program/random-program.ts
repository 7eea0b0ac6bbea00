// SPDX-License-Identifier: Apache-2.0
// Small random programs that are valid by construction and reach every operation, type, rule and
// form of the specification, with ties, saturation and extreme constants where they are likely.
import { type Codes, codeLimits } from '../../src/numeric/code-types.js';
import { roundRules } from '../../src/numeric/round.js';
import { allocate } from '../../src/program/interpret.js';
import type {
  Op,
  Pads,
  Program,
  ProgramTensor,
  ResizeAxis,
  ResizeWeights,
  SoftmaxForm,
} from '../../src/program/program.js';
import { RandomSums } from './random-sums.js';
import type { CodeSize, RandomProgramOptions } from './random-tensors.js';
import { Random } from './random.js';

export type { RandomProgramOptions } from './random-tensors.js';

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
  'resize',
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
  const [least, greatest] = codeLimits(tensor.dtype);
  const style = random.integer(0, 3);
  return allocate(tensor).map(() => {
    if (style === 0) return random.pick([least, greatest]);
    if (style === 1)
      return Math.min(Math.max(tensor.zeroPoint + random.integer(-2, 2), least), greatest);
    return random.integer(least, greatest);
  });
}
class Builder extends RandomSums {
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
        this.lut(this.random.chance(0.25) ? this.source() : this.eightBits());
        break;
      case 'softmax':
        this.softmax();
        break;
      case 'splice':
        this.splice();
        break;
      case 'resize':
        this.resize();
        break;
    }
  }

  // Tensors
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
    const [least, greatest] = codeLimits(type);
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

  /** Between any two rows and columns, which real ones lie side by side. */
  private resize(): void {
    const { random } = this;
    const kind = random.pick(['integer', 'integer', 'f32Codes', 'f32Reals', 'f32Shares'] as const);
    const index = kind === 'integer' ? this.source() : this.eightBits();
    const { height, width, channels, dtype, zeroPoint } = this.tensor(index);
    const size = { height: random.integer(1, 7), width: random.integer(1, 7), channels };
    const positions = (to: number, from: number): Int32Array =>
      Int32Array.from({ length: to }, () => random.integer(0, from - 1));
    const axis = (to: number, from: number): ResizeAxis => ({
      first: positions(to, from),
      second: positions(to, from),
    });
    const base = {
      op: 'resize' as const,
      name: this.name('resize'),
      inputs: [index],
      rows: axis(size.height, height),
      columns: axis(size.width, width),
    };
    if (kind === 'integer') {
      const bits = random.pick([0, 1, 10, 11]);
      const weights = (count: number): Int32Array =>
        Int32Array.from({ length: count }, () =>
          random.pick([0, 2 ** bits, Math.floor(2 ** bits / 2), random.integer(0, 2 ** bits)]),
        );
      const [rows, columns] = [weights(size.height), weights(size.width)];
      const output = this.append(dtype, size, zeroPoint);
      this.push({
        ...base,
        output,
        form: { kind, bits, rule: random.pick(roundRules), rows, columns },
      });
      return;
    }
    const weight = (): number =>
      random.pick([0, 0.5, 1, Math.fround(random.integer(-2000, 2000) / 1000)]);
    const weights = (count: number): ResizeWeights => ({
      first: Float32Array.from({ length: count }, weight),
      second: Float32Array.from({ length: count }, weight),
    });
    const [rows, columns] = [weights(size.height), weights(size.width)];
    if (kind !== 'f32Reals') {
      const output = this.append(dtype, size, zeroPoint);
      this.push({ ...base, output, form: { kind, rows, columns } });
      return;
    }
    const scale = (): number =>
      random.pick([0.5, 0.25, Math.fround(random.magnitude(1e-3, 1)), Math.fround(0.1)]);
    const output = this.append(this.eightBitType(), size);
    const scales = { scaleIn: scale(), scaleOut: scale() };
    this.push({ ...base, output, form: { kind, ...scales, rows, columns } });
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
