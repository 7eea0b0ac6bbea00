// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ModelError } from '../../src/errors.js';
import { checkProgram } from '../../src/program/check.js';
import { decode } from '../../src/program/decode.js';
import { encode } from '../../src/program/encode.js';
import { readProgramFile, writeProgramFile } from '../../src/program/file.js';
import { interpret } from '../../src/program/interpret.js';
import type { AddForm, ConvOp, Op, Program, ProgramTensor } from '../../src/program/program.js';
import { Random } from './random.js';
import { randomCodes, randomProgram } from './random-program.js';

const program = randomProgram(5, { ops: ['conv', 'add', 'softmax'] });
const bytes = encode(program);

/** The file with a right checksum after an edit of its content. */
function resealed(edit: (content: Buffer) => void): Buffer {
  const file = Buffer.from(bytes);
  edit(file);
  file.writeUInt32LE(crc32(file.subarray(16)), 12);
  return file;
}

describe('damaged files', () => {
  test.each([
    ['an empty file', (): Uint8Array => new Uint8Array(0), /byte 0: expected 4 more bytes, got 0/],
    ['a text file', (): Uint8Array => Buffer.from('not a program at all'), /starts with LBP1/],
    [
      'a truncated file',
      (): Uint8Array => bytes.subarray(0, bytes.length - 4),
      /expected \d+ bytes, got \d+/,
    ],
    [
      'a longer file',
      (): Uint8Array => Buffer.concat([bytes, Buffer.alloc(4)]),
      /expected \d+ bytes, got \d+/,
    ],
    [
      'another version',
      (): Uint8Array => resealed((file) => file.writeUInt32LE(2, 4)),
      /program of version 1, got version 2/,
    ],
    [
      'a flipped bit',
      (): Uint8Array => {
        const copy = Buffer.from(bytes);
        copy[copy.length - 9]! ^= 1;
        return copy;
      },
      /checksum/,
    ],
    [
      'a count beyond the end',
      (): Uint8Array => resealed((file) => file.writeUInt32LE(0x7fffffff, 16)),
      /expected 2147483647 more bytes/,
    ],
  ])('%s', (_, make, message) => {
    expect(() => decode(make())).toThrow(ModelError);
    expect(() => decode(make())).toThrow(message);
  });

  test('any damage under a right checksum gives a ModelError or a program that runs', () => {
    const random = new Random(99);
    let refused = 0;
    for (let round = 0; round < 600; ++round) {
      const file = resealed((content) => {
        const at = 16 + random.integer(0, content.length - 17);
        content[at] = random.pick([0, 1, 127, 128, 255, content[at]! ^ 1]);
      });
      let decoded: Program;
      try {
        decoded = decode(file);
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        expect(error.message).not.toContain('\n');
        ++refused;
        continue;
      }
      if (Buffer.compare(encode(decoded), file) !== 0) throw new Error('no exact inverse');
      if (round % 20 === 0) interpret(decoded, randomCodes(decoded, round));
    }
    expect(refused).toBeGreaterThan(50);
  });
});

/** The operation of that kind in a random program, and the program with it edited. */
function edited<K extends Op['op']>(
  kind: K,
  edit: (
    op: Extract<Op, { op: K }>,
    tensors: readonly ProgramTensor[],
  ) => Partial<Extract<Op, { op: K }>>,
  fits: (op: Extract<Op, { op: K }>) => boolean = () => true,
): Program {
  for (let seed = 1; ; ++seed) {
    const source = randomProgram(seed, { ops: [kind], plainAccumulators: true });
    const at = source.ops.findIndex((op) => op.op === kind && fits(op as Extract<Op, { op: K }>));
    const op = source.ops[at] as Extract<Op, { op: K }> | undefined;
    if (op === undefined) continue;
    return { ...source, ops: source.ops.with(at, { ...op, ...edit(op, source.tensors) }) };
  }
}

const form = (given: Partial<Extract<AddForm, { kind: 'rescaled' }>>): Program =>
  edited(
    'add',
    (op) => ({ form: { ...op.form, ...given } as AddForm }),
    (op) => op.form.kind === 'rescaled',
  );

const conv = (given: (op: ConvOp) => Partial<ConvOp>): Program => edited('conv', given);

describe('what a loader checks', () => {
  test.each<[string, () => Program, RegExp]>([
    [
      'an index',
      () => conv(() => ({ inputs: [99] })),
      /expected an input tensor in \[0, \d+\], got 99/,
    ],
    ['the order', () => conv((op) => ({ inputs: [op.output] })), /before it is written/],
    [
      'arity',
      () => edited('add', (op) => ({ inputs: [op.inputs[0]!] })),
      /the number of inputs in \[2, 2\]/,
    ],
    ['a kernel', () => conv(() => ({ kernel: [0, 1] })), /kernel, strides and dilations/],
    ['groups', () => conv(() => ({ groups: 65521 })), /expected groups to divide/],
    [
      'the shape',
      () =>
        conv((op) => ({ strides: [op.strides[0] + 50, 60], pads: [op.pads[0] + 200, 0, 0, 99] })),
      /expected an output of/,
    ],
    ['weights', () => conv((op) => ({ weights: op.weights.subarray(1) })), /the number of weights/],
    [
      'zero points of weights',
      () => conv(() => ({ weightZeroPoints: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) })),
      /entries of weight zero points/,
    ],
    [
      'bits',
      () => conv((op) => ({ accumulator: { ...op.accumulator, bits: 15 } })),
      /bits in \[16, 64\], got 15/,
    ],
    [
      'pairs',
      () =>
        conv((op) => ({
          accumulator: { ...op.accumulator, products: 'satPairs16', when: 'each' },
        })),
      /satPairs16 needs/,
    ],
    [
      'double rounding of wide accumulators',
      () =>
        conv((op) => ({
          accumulator: { ...op.accumulator, bits: 40 },
          requant: {
            kind: 'fixed',
            multiplier: Int32Array.of(1),
            shift: Uint8Array.of(40),
            rule: 'ruyx86',
          },
        })),
      /ruyx86 needs an accumulator of at most 32 bits/,
    ],
    [
      'a multiplier',
      () =>
        conv(() => ({
          requant: {
            kind: 'fixed',
            multiplier: Int32Array.of(-1),
            shift: Uint8Array.of(3),
            rule: 'floor',
          },
        })),
      /a multiplier in/,
    ],
    [
      'a shift',
      () =>
        conv(() => ({
          requant: {
            kind: 'fixed',
            multiplier: Int32Array.of(1),
            shift: Uint8Array.of(63),
            rule: 'floor',
          },
        })),
      /a shift in \[1, 62\], got 63/,
    ],
    [
      'a scale',
      () => conv(() => ({ requant: { kind: 'f32', scale: Float32Array.of(NaN) } })),
      /a scale to be a float32/,
    ],
    [
      'a clamp',
      () => conv(() => ({ clamp: { lo: Int32Array.of(1), hi: Int32Array.of(0) } })),
      /expected lo <= hi, got 1 > 0/,
    ],
    [
      'a clamp beyond the type',
      () =>
        conv(() => ({
          clamp: { lo: Int32Array.of(-40000), hi: Int32Array.of(0) },
          requant: { kind: 'f32', scale: Float32Array.of(1) },
        })),
      /a clamp bound in|got s32/,
    ],
    ['leftShift', () => form({ leftShift: 30 }), /leaves 32 bits/],
    [
      'operands that do not fit',
      () => form({ leftShift: 20, multiplierA: 2 ** 31 - 1, shiftA: 1 }),
      /leaves 32 bits/,
    ],
    [
      'a table',
      () => edited('lut', (op) => ({ table: op.table.subarray(1) })),
      /the number of table entries/,
    ],
    [
      'a table entry',
      () =>
        edited('lut', (op, tensors) =>
          tensors[op.output]!.dtype === 's32'
            ? { table: op.table.subarray(1) }
            : { table: op.table.map(() => 99999) },
        ),
      /a table entry|number of table entries/,
    ],
    [
      'diffMin',
      () =>
        edited(
          'softmax',
          (op) => ({ form: { ...op.form, leftShift: 28, diffMin: -9 } as typeof op.form }),
          (op) => op.form.kind === 'gemmlowp',
        ),
      /diffMin in \[-7, 0\], got -9/,
    ],
    [
      'a window without a pixel',
      () =>
        edited('maxPool', (op) => ({ pads: [op.kernel[0], op.pads[1], op.pads[2], op.pads[3]] })),
      /holds no pixel|expected an output of/,
    ],
    [
      'types of a copy',
      () => {
        const source = edited('pad', () => ({}));
        const at = source.ops.find((op) => op.op === 'pad')!.output;
        const changed = {
          ...source.tensors[at]!,
          zeroPoint: source.tensors[at]!.zeroPoint === 0 ? 1 : 0,
        };
        return { ...source, tensors: source.tensors.with(at, changed) };
      },
      /type and zero point of inputs and output to be equal|leaves 32 bits|expected/,
    ],
    [
      'names',
      () => ({
        ...program,
        tensors: program.tensors.with(1, {
          ...program.tensors[1]!,
          name: program.tensors[0]!.name,
        }),
      }),
      /expected distinct names/,
    ],
    [
      'a tensor size',
      () => ({
        ...program,
        tensors: program.tensors.with(0, { ...program.tensors[0]!, height: 65537 }),
      }),
      /in \[1, 65536\], got 65537/,
    ],
    ['outputs', () => ({ ...program, outputs: [] }), /at least one output/],
    ['an output', () => ({ ...program, outputs: [1000] }), /an output tensor in/],
    [
      'a tensor that nothing writes',
      () => ({
        ...program,
        tensors: [...program.tensors, { ...program.tensors[0]!, name: 'spare' }],
      }),
      /nothing writes/,
    ],
  ])('%s', (_, make, message) => {
    const broken = make();
    expect(() => {
      checkProgram(broken);
    }).toThrow(ModelError);
    expect(() => {
      checkProgram(broken);
    }).toThrow(message);
  });
});

describe('files', () => {
  test('are written whole and read back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lastbit-'));
    try {
      const path = join(folder, 'net.lbp');
      writeProgramFile(path, program);
      expect(await readdir(folder)).toEqual(['net.lbp']);
      expect(readProgramFile(path)).toEqual(program);
      await writeFile(path, 'LBP1 damaged');
      expect(() => readProgramFile(path)).toThrow(/net\.lbp, byte \d+: /);
      expect(() => readProgramFile(join(folder, 'none.lbp'))).toThrow(
        /\[unreadable-file\].*none\.lbp/,
      );
      expect(() => {
        writeProgramFile(join(path, 'net.lbp'), program);
      }).toThrow('[cannot-write]');
      expect(await readdir(folder)).toEqual(['net.lbp']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
