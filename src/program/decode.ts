// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "Bytes", from a file to a checked program.
import { crc32 } from 'node:zlib';
import { codeTypes } from '../numeric/code-types.js';
import { fixedRules } from '../numeric/requant.js';
import { divideRules, floatRules, nearestRules, tableRules, roundRules } from '../numeric/round.js';
import { Budget } from '../limits/budget.js';
import { ByteReader } from './bytes.js';
import { checkProgram } from './check.js';
import { takeProgram } from './cost.js';
import {
  addKinds,
  averageKinds,
  f32AddForms,
  headerBytes,
  inputForms,
  magic,
  moments,
  opcodes,
  overflows,
  productKinds,
  requantKinds,
  resizeKinds,
  softmaxKinds,
  stageKinds,
  weightTypes,
} from './format.js';
import {
  programVersion,
  type Accumulator,
  type AddForm,
  type AverageForm,
  type CodeClamp,
  type ConvOp,
  type Op,
  type Pads,
  type Pair,
  type Program,
  type ProgramTensor,
  type Requant,
  type ResizeOp,
  type SoftmaxForm,
  type Stage,
} from './program.js';

/** At most, of a byte of the file: a tensor of 28 bytes becomes an object of some 150. */
const decodedBytesEach = 6;

/**
 * The inverse of `encode`.
 *
 * @throws ModelError `invalid-program` for anything that NOTES.md, "What a loader checks", forbids
 */
export function decode(bytes: Uint8Array, budget = new Budget()): Program {
  // Arrays are copied, and each tensor, operation and string becomes an object.
  budget.takeMemory(decodedBytesEach * bytes.length, 'program', 'decoding it');
  const reader = new ByteReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  readHeader(reader, bytes);
  const program = readProgram(reader);
  if (reader.remaining > 0) reader.fail(`expected the end, got ${reader.remaining} more bytes`);
  checkProgram(program);
  takeProgram(budget, program);
  return program;
}

function readHeader(reader: ByteReader, bytes: Uint8Array): void {
  const first = reader.bytes(4).toString('latin1');
  if (first !== magic) reader.fail(`expected a program, which starts with ${magic}`);
  const version = reader.u32();
  if (version !== programVersion) {
    reader.fail(`expected a program of version ${programVersion}, got version ${version}`);
  }
  const total = reader.u32();
  if (total !== bytes.length) reader.fail(`expected ${total} bytes, got ${bytes.length}`);
  const crc = reader.u32();
  if (crc !== crc32(bytes.subarray(headerBytes)))
    reader.fail('the checksum does not fit the content');
}

function readProgram(reader: ByteReader): Program {
  const target = reader.str();
  const metadata = readMetadata(reader);
  const tensors = Array.from({ length: reader.count(28) }, () => readTensor(reader));
  const input = reader.u32();
  const inputQuantization = { form: word(reader, inputForms), rule: word(reader, nearestRules) };
  const outputs = Array.from(reader.array(Uint32Array));
  const ops = Array.from({ length: reader.count(20) }, () => readOp(reader));
  return { target, metadata, tensors, input, inputQuantization, outputs, ops };
}

/** A word of an enumeration, by its number. */
function word<T extends string>(reader: ByteReader, words: readonly T[]): T {
  const number = reader.u32();
  return (
    words[number] ??
    reader.fail(`expected one of ${words.length} values (${words.join(', ')}), got ${number}`)
  );
}

function readMetadata(reader: ByteReader): Record<string, string> {
  const pairs = Array.from(
    { length: reader.count(8) },
    () => [reader.str(), reader.str()] as const,
  );
  pairs.reduce<string | undefined>((previous, [key]) => {
    if (previous !== undefined && Buffer.compare(Buffer.from(previous), Buffer.from(key)) >= 0) {
      reader.fail(`expected metadata keys to ascend, got "${key}" after "${previous}"`);
    }
    return key;
  }, undefined);
  return Object.fromEntries(pairs);
}

function readTensor(reader: ByteReader): ProgramTensor {
  const name = reader.str();
  const dtype = word(reader, codeTypes);
  const [height, width, channels] = reader.u32s(3) as [number, number, number];
  return { name, dtype, height, width, channels, zeroPoint: reader.i32(), scale: reader.f32() };
}

function readOp(reader: ByteReader): Op {
  const op = word(reader, opcodes);
  const bodyBytes = reader.u32();
  const name = reader.str();
  const inputs = Array.from(reader.array(Uint32Array));
  const output = reader.u32();
  const end = reader.offset + bodyBytes;
  const body = readBody(reader, op);
  if (reader.offset !== end) reader.fail(`expected the body of "${name}" to end at byte ${end}`);
  return { name, inputs, output, ...body };
}

/** An operation without what all have. */
type Body = Op extends infer T
  ? T extends Op
    ? Omit<T, 'name' | 'inputs' | 'output'>
    : never
  : never;

function readBody(reader: ByteReader, op: Op['op']): Body {
  switch (op) {
    case 'conv':
      return readConv(reader);
    case 'add':
      return { op, form: readAddForm(reader), clamp: readClamp(reader) };
    case 'mul':
      return { op, requant: readRequant(reader), clamp: readClamp(reader) };
    case 'averagePool':
      return { op, ...readWindow(reader), form: readAverageForm(reader), clamp: readClamp(reader) };
    case 'maxPool':
      return { op, ...readWindow(reader), clamp: readClamp(reader) };
    case 'pad':
      return { op, pads: readPads(reader) };
    case 'lut':
      return { op, table: reader.array(Int32Array) };
    case 'softmax':
      return { op, form: readSoftmaxForm(reader) };
    case 'splice':
      return { op, period: reader.u32(), from: reader.u32() };
    case 'resize':
      return readResize(reader);
    case 'concat':
    case 'reshape':
      return { op };
  }
}

function readPair(reader: ByteReader): Pair {
  return [reader.u32(), reader.u32()];
}

function readPads(reader: ByteReader): Pads {
  return [reader.u32(), reader.u32(), reader.u32(), reader.u32()];
}

function readWindow(reader: ByteReader): { kernel: Pair; strides: Pair; pads: Pads } {
  return { kernel: readPair(reader), strides: readPair(reader), pads: readPads(reader) };
}

const weightArrays = { s8: Int8Array, u8: Uint8Array, s16: Int16Array } as const;

function readConv(reader: ByteReader): Omit<ConvOp, 'name' | 'inputs' | 'output'> {
  const [kernel, strides, dilations] = [readPair(reader), readPair(reader), readPair(reader)];
  const pads = readPads(reader);
  const groups = reader.u32();
  const weightType = word(reader, weightTypes);
  return {
    op: 'conv',
    kernel,
    strides,
    dilations,
    pads,
    groups,
    weightType,
    weights: reader.array(weightArrays[weightType]),
    weightZeroPoints: reader.array(Int32Array),
    bias: reader.array(Int32Array),
    accumulator: readAccumulator(reader),
    requant: readRequant(reader),
    clamp: readClamp(reader),
  };
}

function readAccumulator(reader: ByteReader): Accumulator {
  return {
    bits: reader.u32(),
    overflow: word(reader, overflows),
    when: word(reader, moments),
    products: word(reader, productKinds),
    biasFirst: word(reader, ['no', 'yes']) === 'yes',
  };
}

function readRequant(reader: ByteReader): Requant {
  const kind = word(reader, requantKinds);
  switch (kind) {
    case 'none':
      return { kind };
    case 'fixed': {
      const rule = word(reader, fixedRules);
      return { kind, multiplier: reader.array(Int32Array), shift: reader.array(Uint8Array), rule };
    }
    case 'f32':
      return { kind, scale: reader.array(Float32Array) };
    case 'shift': {
      const rule = word(reader, roundRules);
      return { kind, shift: reader.array(Int8Array), rule };
    }
    case 'stages':
      return {
        kind,
        stages: Array.from({ length: reader.count(leastStageBytes) }, () => readStage(reader)),
      };
    case 'f32Rule': {
      const rule = word(reader, floatRules);
      return { kind, scale: reader.array(Float32Array), rule };
    }
    case 'f64':
      return { kind, scale: reader.array(Float64Array) };
  }
}

/** A kind, and a number of bits or of entries. */
const leastStageBytes = 8;

function readStage(reader: ByteReader): Stage {
  const kind = word(reader, stageKinds);
  switch (kind) {
    case 'add':
      return { kind, value: reader.array(BigInt64Array) };
    case 'multiply':
      return { kind, factor: reader.array(Int32Array) };
    case 'shift': {
      const rule = word(reader, roundRules);
      return { kind, shift: reader.array(Int8Array), rule };
    }
    case 'saturate':
      return { kind, bits: reader.u32() };
    case 'clamp':
      return { kind, lo: reader.array(BigInt64Array), hi: reader.array(BigInt64Array) };
    case 'segments': {
      const rule = word(reader, roundRules);
      return {
        kind,
        start: reader.array(BigInt64Array),
        multiplier: reader.array(Int32Array),
        shift: reader.array(Uint8Array),
        offset: reader.array(BigInt64Array),
        rule,
      };
    }
    case 'thresholds': {
      const strict = word(reader, ['no', 'yes']) === 'yes';
      return { kind, strict, count: reader.u32(), values: reader.array(BigInt64Array) };
    }
  }
}

function readClamp(reader: ByteReader): CodeClamp {
  return { lo: reader.array(Int32Array), hi: reader.array(Int32Array) };
}

function readAddForm(reader: ByteReader): AddForm {
  const kind = word(reader, addKinds);
  switch (kind) {
    case 'rescaled':
      return {
        kind,
        leftShift: reader.u32(),
        multiplierA: reader.i32(),
        shiftA: reader.u32(),
        multiplierB: reader.i32(),
        shiftB: reader.u32(),
        multiplierOut: reader.i32(),
        shiftOut: reader.u32(),
        rule: word(reader, fixedRules),
      };
    case 'aligned':
      return {
        kind,
        multiplierA: reader.i32(),
        multiplierB: reader.i32(),
        shift: reader.u32(),
        rule: word(reader, roundRules),
      };
    case 'f32':
      return {
        kind,
        form: word(reader, f32AddForms),
        scaleA: reader.f32(),
        scaleB: reader.f32(),
        scaleOut: reader.f32(),
      };
    case 'requant':
      return {
        kind,
        multiplierA: reader.i32(),
        multiplierB: reader.i32(),
        requant: readRequant(reader),
      };
    case 'tables':
      return {
        kind,
        tableA: reader.array(Int32Array),
        tableB: reader.array(Int32Array),
        requant: readRequant(reader),
      };
  }
}

function readAverageForm(reader: ByteReader): AverageForm {
  const kind = word(reader, averageKinds);
  switch (kind) {
    case 'divide':
      return { kind, rule: word(reader, divideRules) };
    case 'requant':
      return { kind, requant: readRequant(reader) };
    case 'f32Window':
      return { kind, scaleIn: reader.f32(), scaleOut: reader.f32() };
  }
}

function readResize(reader: ByteReader): Omit<ResizeOp, 'name' | 'inputs' | 'output'> {
  const kind = word(reader, resizeKinds);
  const axis = () => ({ first: reader.array(Int32Array), second: reader.array(Int32Array) });
  const op = 'resize';
  if (kind === 'integer') {
    const [bits, rule] = [reader.u32(), word(reader, roundRules)];
    const [rows, rowWeights] = [axis(), reader.array(Int32Array)];
    const [columns, columnWeights] = [axis(), reader.array(Int32Array)];
    const form = { kind, bits, rule, rows: rowWeights, columns: columnWeights };
    return { op, rows, columns, form };
  }
  const scales = kind === 'f32Reals' ? [reader.f32(), reader.f32()] : [];
  const weights = () => ({
    first: reader.array(Float32Array),
    second: reader.array(Float32Array),
  });
  const [rows, rowWeights] = [axis(), weights()];
  const [columns, columnWeights] = [axis(), weights()];
  const both = { rows: rowWeights, columns: columnWeights };
  const [scaleIn = 1, scaleOut = 1] = scales;
  const form = kind === 'f32Reals' ? { kind, scaleIn, scaleOut, ...both } : { kind, ...both };
  return { op, rows, columns, form };
}

function readSoftmaxForm(reader: ByteReader): SoftmaxForm {
  const kind = word(reader, softmaxKinds);
  switch (kind) {
    case 'gemmlowp':
      return { kind, multiplier: reader.i32(), leftShift: reader.u32(), diffMin: reader.i32() };
    case 'f32Table': {
      const table = reader.array(Float32Array);
      return { kind, table, outputScale: reader.f32(), rule: word(reader, tableRules) };
    }
    case 'wideTable':
      return { kind, exp: reader.array(Int16Array), reciprocal: reader.array(Int16Array) };
  }
}
