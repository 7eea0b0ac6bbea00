// SPDX-License-Identifier: Apache-2.0
// ARM-software/CMSIS-NN's published unit-test vectors (Tests/UnitTest/TestCases/TestData, C headers
// of #defines and arrays, made with TensorFlow Lite) as programs with inputs and outputs. The sets
// give multipliers and shifts themselves, so a program is built directly from them.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Codes } from '../../src/numeric/code-types.js';
import type { ConvOp, Op, Program, ProgramTensor, Requant } from '../../src/program/program.js';

export interface VectorSet {
  readonly name: string;
  readonly kind: string;
  readonly program: Program;
  readonly inputs: readonly Codes[];
  readonly expected: readonly number[];
}

interface Parsed {
  readonly name: string;
  readonly type: 's8' | 's16';
  readonly isInt4: boolean;
  /** A #define without its prefix. */
  readonly number: (key: string) => number;
  readonly has: (key: string) => boolean;
  /** The array whose name ends so; empty where there is none. */
  readonly list: (ending: RegExp) => readonly number[];
}

/** Reads the headers that a set's test_data.h names: older generations lie beside them. */
function parse(folder: string, name: string): Parsed {
  const list = readFileSync(join(folder, 'test_data.h'), 'utf8');
  const files = [...list.matchAll(/#include "([^"]+)"/g)].map((match) => match[1]!);
  const text = files
    .filter((file) => existsSync(join(folder, file)))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  const numbers = new Map<string, number>();
  for (const [, key, value] of text.matchAll(/#define (\w+) \(?(-?\w+)\)?/g)) {
    numbers.set(key!.replace(`${name.toUpperCase()}_`, ''), Number(value));
  }
  const arrays = new Map<string, { type: string; values: number[] }>();
  const array = /const (int\d+_t|bool) \*?(?:const )?(\w+)\[[^\]]*\]\s*=\s*\{([^}]*)\}/g;
  for (const [, type, key, body] of text.matchAll(array)) {
    const values = body!.split(',').filter((word) => word.trim() !== '');
    arrays.set(key!.replace(`${name}_`, ''), { type: type!, values: values.map(Number) });
  }
  const find = (ending: RegExp) => [...arrays].find(([key]) => ending.test(key))?.[1];
  return {
    name,
    type: find(/^input(1|_tensor)?$/)?.type === 'int16_t' ? 's16' : 's8',
    isInt4: name.includes('int4'),
    number: (key) => {
      const value = numbers.get(key);
      if (value === undefined || Number.isNaN(value)) throw new Error(`${name} has no ${key}`);
      return value;
    },
    has: (key) => numbers.has(key),
    list: (ending) => find(ending)?.values ?? [],
  };
}

type Image = readonly [height: number, width: number, channels: number];

function tensor(
  name: string,
  dtype: ProgramTensor['dtype'],
  [height, width, channels]: Image,
  zeroPoint: number,
): ProgramTensor {
  return { name, dtype, height, width, channels, zeroPoint, scale: 1 };
}

const product = (image: Image) => image[0] * image[1] * image[2];

/** A program of one operation over tensor 0, and the set's images as its inputs. */
function single(
  set: Parsed,
  kind: string,
  from: { readonly image: Image; readonly zeroPoint: number },
  to: { readonly image: Image; readonly zeroPoint: number },
  op: Op,
): VectorSet {
  const greatest = Math.max(from.zeroPoint, to.zeroPoint);
  if (greatest > 127) throw new Error(`its zero point ${greatest} is outside int8`);
  return {
    name: set.name,
    kind: `${kind} ${set.isInt4 ? 's4' : set.type}`,
    program: programOf(
      [
        tensor('x', set.type, from.image, from.zeroPoint),
        tensor('y', set.type, to.image, to.zeroPoint),
      ],
      [op],
    ),
    inputs: images(set, set.list(/^input(_tensor)?$/), product(from.image)),
    expected: set.list(/^output(_ref)?$/),
  };
}

function programOf(tensors: readonly ProgramTensor[], ops: readonly Op[]): Program {
  return {
    target: 'cmsis-nn@test',
    metadata: {},
    tensors,
    input: 0,
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    outputs: [tensors.length - 1],
    ops,
  };
}

function images({ type }: Parsed, codes: readonly number[], size: number): readonly Codes[] {
  const array = type === 's16' ? Int16Array : Int8Array;
  return Array.from({ length: codes.length / size }, (_, i) =>
    array.from(codes.slice(i * size, (i + 1) * size)),
  );
}

/** Two to a byte, the first in the low half. */
function unpacked(set: Parsed, bytes: readonly number[], count: number): readonly number[] {
  if (!set.isInt4) return bytes;
  return Array.from({ length: count }, (_, i) => ((bytes[i >> 1]! >> (4 * (i & 1))) << 28) >> 28);
}

/** 64-bit sums are multiplied by the upper half of the multiplier (arm_nn_requantize_s64). */
function requantOf(set: Parsed, wide: boolean): Requant {
  const stated = (ending: RegExp, key: string, count: number) => {
    const list = set.list(ending);
    return list.length > 0 ? list : Array<number>(count).fill(set.number(key));
  };
  const outputs = set.has('OUT_CH') ? set.number('OUT_CH') : 1;
  const isPlain = set.has('OUTPUT_MULTIPLIER');
  const multipliers = stated(isPlain ? /^$/ : /^output_mult/, 'OUTPUT_MULTIPLIER', outputs);
  const shifts = stated(isPlain ? /^$/ : /^output_shift/, 'OUTPUT_SHIFT', outputs);
  const reduced = (m: number) => (m < 0x7fff0000 ? Math.floor((m + 2 ** 15) / 2 ** 16) : 0x7fff);
  return {
    kind: 'fixed',
    multiplier: Int32Array.from(multipliers, (m) => (wide ? reduced(m) : m)),
    shift: Uint8Array.from(shifts, (s) => (wide ? 15 : 31) - s),
    rule: wide ? 'halfUp' : 'gemmlowp2',
  };
}

function clampOf(set: Parsed, prefix = 'OUT_') {
  return {
    lo: Int32Array.of(set.number(`${prefix}ACTIVATION_MIN`)),
    hi: Int32Array.of(set.number(`${prefix}ACTIVATION_MAX`)),
  };
}

/** Padding behind that leads to the stated output size. */
function behind(size: number, kernel: number, stride: number, before: number, positions: number) {
  return Math.max(0, (positions - 1) * stride + kernel - size - before);
}

function convolution(set: Parsed): VectorSet {
  const n = set.number;
  const isDepthwise = set.has('CH_MULT');
  const [outputs, channels] = [n('OUT_CH'), n('IN_CH')];
  const kernel = [n('FILTER_Y'), n('FILTER_X')] as const;
  const strides = [n('STRIDE_Y'), n('STRIDE_X')] as const;
  const dilations = [n('DILATION_Y'), n('DILATION_X')] as const;
  const from: Image = [n('INPUT_H'), n('INPUT_W'), channels];
  const to: Image = [n('OUTPUT_H'), n('OUTPUT_W'), outputs];
  const before = [n('PAD_Y'), n('PAD_X')] as const;
  const after = [0, 1].map((a) =>
    behind(from[a]!, (kernel[a]! - 1) * dilations[a]! + 1, strides[a]!, before[a]!, to[a]!),
  ) as [number, number];
  const area = kernel[0] * kernel[1];
  const stored = set.list(/weights$/);
  const perOutput = set.isInt4 ? area * (isDepthwise ? 1 : channels) : stored.length / outputs;
  const codes = unpacked(set, stored, outputs * perOutput);
  // Depthwise weights are stored with the channels innermost.
  const weights = isDepthwise
    ? codes.map((_, i) => codes[(i % area) * outputs + Math.floor(i / area)]!)
    : codes;
  return single(
    set,
    isDepthwise ? 'depthwise' : 'conv',
    { image: from, zeroPoint: -n('INPUT_OFFSET') },
    { image: to, zeroPoint: n('OUTPUT_OFFSET') },
    layer(set, outputs, weights, 0, {
      kernel,
      strides,
      dilations,
      pads: [...before, ...after],
      groups: isDepthwise ? channels : (channels * area) / perOutput,
    }),
  );
}

function fullyConnected(set: Parsed): VectorSet {
  const [outputs, length] = [set.number('OUT_CH'), set.number('ACCUMULATION_DEPTH')];
  const weights = unpacked(set, set.list(/weights$/), outputs * length);
  const zero = set.has('FILTER_OFFSET') ? -set.number('FILTER_OFFSET') : 0;
  return single(
    set,
    'fully connected',
    { image: [1, 1, length], zeroPoint: -set.number('INPUT_OFFSET') },
    { image: [1, 1, outputs], zeroPoint: set.number('OUTPUT_OFFSET') },
    layer(set, outputs, weights, zero, {
      kernel: [1, 1],
      strides: [1, 1],
      dilations: [1, 1],
      pads: [0, 0, 0, 0],
      groups: 1,
    }),
  );
}

function layer(
  set: Parsed,
  outputs: number,
  weights: readonly number[],
  zero: number,
  window: Pick<ConvOp, 'kernel' | 'strides' | 'dilations' | 'pads' | 'groups'>,
): ConvOp {
  const bias = set.list(/bias(es)?$/);
  if (bias.some((b) => b < -(2 ** 31) || b >= 2 ** 31)) throw new Error('a bias beyond 32 bits');
  const wide = set.type === 's16' && !set.name.startsWith('int16xint8xint32');
  return {
    op: 'conv',
    name: set.name,
    inputs: [0],
    output: 1,
    ...window,
    weightType: 's8',
    weights: Int8Array.from(weights),
    weightZeroPoints: Int32Array.of(zero),
    bias: bias.length > 0 ? Int32Array.from(bias) : new Int32Array(outputs),
    accumulator: {
      bits: wide ? 64 : 32,
      overflow: 'wrap',
      when: 'end',
      products: 'exact',
      biasFirst: false,
    },
    requant: requantOf(set, wide),
    clamp: clampOf(set),
  };
}

function pool(set: Parsed): VectorSet {
  const n = set.number;
  const from: Image = [n('INPUT_H'), n('INPUT_W'), n('INPUT_C')];
  const to: Image = [n('OUTPUT_H'), n('OUTPUT_W'), n('OUTPUT_C')];
  const kernel = [n('FILTER_H'), n('FILTER_W')] as const;
  const strides = [n('STRIDE_H'), n('STRIDE_W')] as const;
  const before = [n('PADDING_H'), n('PADDING_W')] as const;
  const after = [0, 1].map((a) =>
    behind(from[a]!, kernel[a]!, strides[a]!, before[a]!, to[a]!),
  ) as [number, number];
  const common = {
    name: set.name,
    inputs: [0],
    output: 1,
    kernel,
    strides,
    pads: [...before, ...after] as const,
    clamp: clampOf(set, ''),
  };
  const op: Op = set.name.startsWith('max')
    ? { op: 'maxPool', ...common }
    : { op: 'averagePool', ...common, form: { kind: 'divide', rule: 'halfAway' } };
  const plain = (image: Image) => ({ image, zeroPoint: 0 });
  return single(set, op.op, plain(from), plain(to), op);
}

function softmax(set: Parsed): VectorSet {
  const image: Image = [1, 1, set.number('ROW_SIZE')];
  return single(
    set,
    'softmax',
    { image, zeroPoint: 0 },
    { image, zeroPoint: -128 },
    {
      op: 'softmax',
      name: set.name,
      inputs: [0],
      output: 1,
      form: {
        kind: 'gemmlowp',
        multiplier: set.number('INPUT_MULT'),
        leftShift: set.number('INPUT_LEFT_SHIFT'),
        diffMin: set.number('DIFF_MIN'),
      },
    },
  );
}

/** Both operands stand in one input, one after the other; convolutions of scale 1 part them. */
function elementwise(set: Parsed): VectorSet {
  const n = set.number;
  const [a, b] = [set.list(/^input1$/), set.list(/^input2$/)];
  const size = a.length;
  const zeros = [-n('INPUT1_OFFSET'), -n('INPUT2_OFFSET')] as const;
  const part = (first: number): ConvOp => ({
    op: 'conv',
    name: `part${first}`,
    inputs: [0],
    output: first === 0 ? 1 : 2,
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    groups: 1,
    weightType: 's8',
    weightZeroPoints: Int32Array.of(0),
    accumulator: {
      bits: 32,
      overflow: 'wrap',
      when: 'end',
      products: 'exact',
      biasFirst: false,
    },
    weights: Int8Array.from({ length: 2 * size * size }, (_, i) =>
      i % (2 * size) === first + Math.floor(i / (2 * size)) ? 1 : 0,
    ),
    bias: new Int32Array(size).fill(-zeros[first === 0 ? 0 : 1]),
    requant: {
      kind: 'fixed',
      multiplier: Int32Array.of(2 ** 30),
      shift: Uint8Array.of(30),
      rule: 'halfUp',
    },
    clamp: set.type === 's16' ? clampFor(16) : clampFor(8),
  });
  const isAdd = set.has('LEFT_SHIFT');
  const common = { name: set.name, inputs: [1, 2], output: 3, clamp: clampOf(set) };
  const fixed = (key: string) => ({
    multiplier: n(`${key}_MULT`),
    shift: 31 - n(`${key}_SHIFT`),
  });
  const [one, two, out] = isAdd
    ? [fixed('INPUT1'), fixed('INPUT2'), fixed('OUTPUT')]
    : [fixed('OUTPUT'), fixed('OUTPUT'), fixed('OUTPUT')];
  const op: Op = isAdd
    ? {
        op: 'add',
        ...common,
        form: {
          kind: 'rescaled',
          leftShift: n('LEFT_SHIFT'),
          multiplierA: one.multiplier,
          shiftA: one.shift,
          multiplierB: two.multiplier,
          shiftB: two.shift,
          multiplierOut: out.multiplier,
          shiftOut: out.shift,
          rule: 'gemmlowp2',
        },
      }
    : {
        op: 'mul',
        ...common,
        requant: {
          kind: 'fixed',
          multiplier: Int32Array.of(out.multiplier),
          shift: Uint8Array.of(out.shift),
          rule: 'gemmlowp2',
        },
      };
  const image: Image = [1, 1, size];
  return {
    name: set.name,
    kind: `${op.op} ${set.type}`,
    program: programOf(
      [
        tensor('x', set.type, [1, 1, 2 * size], 0),
        tensor('a', set.type, image, zeros[0]),
        tensor('b', set.type, image, zeros[1]),
        tensor('y', set.type, image, n('OUTPUT_OFFSET')),
      ],
      [part(0), part(size), op],
    ),
    inputs: images(set, [...a, ...b], 2 * size),
    expected: set.list(/^output_ref$/),
  };
}

function clampFor(bits: number) {
  return { lo: Int32Array.of(-(2 ** (bits - 1))), hi: Int32Array.of(2 ** (bits - 1) - 1) };
}

/** What a set is, by its name; undefined for operators that lastbit does not have. */
function readerOf(set: Parsed): ((set: Parsed) => VectorSet) | undefined {
  if (
    /lstm|svdf|softmax_s8_s16|transpose|batch_matmul|maximum|minimum|ds_cnn|_f16|_f32/.test(
      set.name,
    )
  )
    return;
  if (set.has('CH_MULT') || set.has('DILATION_X')) return convolution;
  if (set.has('ACCUMULATION_DEPTH')) return fullyConnected;
  if (set.has('FILTER_W')) return pool;
  if (set.has('ROW_SIZE') && set.type === 's8' && set.has('DIFF_MIN')) return softmax;
  if (set.has('INPUT1_OFFSET')) return elementwise;
  return undefined;
}

/** All sets of a checkout, and why others are left out. */
export function cmsisSets(checkout: string): {
  readonly sets: readonly VectorSet[];
  readonly left: ReadonlyMap<string, string>;
} {
  const root = join(checkout, 'Tests/UnitTest/TestCases/TestData');
  const left = new Map<string, string>();
  const sets = readdirSync(root)
    .sort()
    .flatMap((name) => {
      if (/_f(16|32)(_|$)/.test(name)) return [];
      try {
        const set = parse(join(root, name), name);
        const read = readerOf(set);
        if (read !== undefined) return [read(set)];
        left.set(name, 'no such operator here');
      } catch (error) {
        left.set(name, (error as Error).message);
      }
      return [];
    });
  return { sets, left };
}
