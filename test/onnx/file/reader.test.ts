// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { LastbitError } from '../../../src/errors.js';
import { encodeModel } from '../../../src/onnx/file/encode.js';
import type { OnnxDType } from '../../../src/onnx/file/model.js';
import { prescan } from '../../../src/onnx/file/prescan.js';
import { type TensorMessage, encodeMessage } from '../../../src/onnx/file/protobuf.js';
import { readOnnx, readOnnxFile } from '../../../src/onnx/file/reader.js';
import { decodeData, encodeData, fromHalf } from '../../../src/onnx/file/tensor-data.js';
import { f32, model, node, s64 } from '../build.js';

const tiny = () =>
  model({
    input: [1, 'h', undefined, 8],
    output: [1, 3],
    nodes: [
      node('Relu', ['x'], 'r'),
      node('Mix', ['r', '', 'w'], ['y', 'z'], {
        a: { type: 'float', value: 0.5 },
        b: { type: 'int', value: -3 },
        c: { type: 'string', value: 'größer' },
        d: { type: 'floats', value: [1, 2.5] },
        e: { type: 'ints', value: [1, -1] },
        f: { type: 'strings', value: ['p', 'q'] },
        g: { type: 'tensor', value: { name: 't', ...f32([2], [1, 2]) } },
      }),
    ],
    weights: {
      w: f32([2, 2], [1, -2, 3, Math.fround(0.1)]),
      shape: s64([1, -1, 2 ** 40]),
      s4: { dtype: 's4', shape: [3], data: Int8Array.of(-8, 7, -1) },
      u4: { dtype: 'u4', shape: [3], data: Uint8Array.of(0, 15, 9) },
      u16: { dtype: 'u16', shape: [1], data: Uint16Array.of(65535) },
      none: f32([0, 4], []),
      flag: { dtype: 'bool', shape: [], data: Uint8Array.of(1) },
    },
  });

/** A model with one initializer given as a raw message. */
function withTensor(tensor: TensorMessage): Uint8Array {
  return encodeMessage({
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'g',
      node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
      initializer: [tensor],
    },
  });
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof LastbitError) {
      expect(error.message).not.toContain('\n');
      return error.code;
    }
    throw error;
  }
  return 'no error';
}

test('what is encoded is read back', () => {
  expect(readOnnx(encodeModel(tiny()))).toEqual(tiny());
});

describe('element fields', () => {
  const cases: [string, TensorMessage, OnnxDType, number[]][] = [
    ['float_data', { dataType: 1, floatData: [0.5, -2] }, 'f32', [0.5, -2]],
    ['double_data', { dataType: 11, doubleData: [0.1, 3] }, 'f64', [0.1, 3]],
    ['int64_data', { dataType: 7, int64Data: [-5, 9] }, 's64', [-5, 9]],
    ['int32_data for s8', { dataType: 3, int32Data: [-128, 127] }, 's8', [-128, 127]],
    ['int32_data for u8', { dataType: 2, int32Data: [0, 255] }, 'u8', [0, 255]],
    ['int32_data for f16', { dataType: 10, int32Data: [0x3c00, 0xc000] }, 'f16', [1, -2]],
    ['int32_data for bf16', { dataType: 16, int32Data: [0x3f80, 0xc040] }, 'bf16', [1, -3]],
    ['int32_data for s4', { dataType: 22, int32Data: [0x9f] }, 's4', [-1, -7]],
    ['uint64_data for u32', { dataType: 12, uint64Data: [7, 4294967295] }, 'u32', [7, 4294967295]],
  ];
  test.each(cases)('%s', (_, message, dtype, values) => {
    const read = readOnnx(withTensor({ name: 't', dims: [2], ...message }));
    const tensor = read.graph.initializers.get('t')!;
    expect([tensor.dtype, [...tensor.data]]).toEqual([dtype, values]);
  });

  test('raw data at any offset of the file', () => {
    for (let length = 0; length < 8; length++) {
      const name = 'n'.repeat(length);
      const bytes = withTensor({
        name,
        dims: [1],
        dataType: 1,
        rawData: new Uint8Array([0, 0, 128, 63]),
      });
      expect(readOnnx(bytes).graph.initializers.get(name)?.data).toEqual(Float32Array.of(1));
    }
  });

  test('any bytes decode and encode back', () => {
    const dtypes: OnnxDType[] = ['f32', 's32', 's16', 's8', 'u8', 'u16', 'u32', 's4', 'u4'];
    fc.assert(
      fc.property(
        fc.constantFrom(...dtypes),
        fc.array(fc.integer({ min: -8, max: 7 }), { maxLength: 9 }),
        (dtype, values) => {
          const wanted = values.map((v) => (dtype.startsWith('u') ? v + 8 : v));
          const first = encodeData(dtype, Float64Array.from(wanted));
          const data = decodeData(dtype, values.length, first);
          expect([...data]).toEqual(wanted);
          expect(encodeData(dtype, data)).toEqual(first);
        },
      ),
    );
  });

  test('half precision: subnormal, smallest, largest, infinite', () => {
    expect([0x0001, 0x0400, 0x7bff, 0xfc00].map(fromHalf)).toEqual([
      2 ** -24,
      2 ** -14,
      65504,
      -Infinity,
    ]);
    expect(fromHalf(0x7e00)).toBeNaN();
  });
});

describe('files that are no models', () => {
  const good = encodeModel(tiny());

  test('empty, text, random and truncated bytes each give one named error', () => {
    expect(codeOf(() => readOnnx(new Uint8Array()))).toBe('empty-file');
    expect(codeOf(() => readOnnx(Buffer.from('This is a text file, not a model.\n')))).toBe(
      'not-onnx',
    );
    expect(codeOf(() => readOnnx(Buffer.from('{"model": 1}')))).toBe('not-onnx');
    expect(codeOf(() => readOnnx(good.subarray(0, good.length - 40)))).toBe('truncated-model');
    expect(codeOf(() => readOnnx(encodeMessage({ irVersion: 7 })))).toBe('no-graph');
    expect(codeOf(() => readOnnx(encodeMessage({ graph: { name: 'empty' } })))).toBe('no-graph');
    expect(codeOf(() => readOnnxFile('/no/such/model.onnx'))).toBe('unreadable-file');
  });

  test('no prefix and no changed byte escapes as anything but a LastbitError', () => {
    for (let length = 1; length < good.length; length++) {
      codeOf(() => readOnnx(good.subarray(0, length)));
    }
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(255), (at, value, next) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = value;
        bytes[(at + 1) % bytes.length] = next;
        codeOf(() => readOnnx(bytes));
      }),
      { numRuns: 800, seed: 1 },
    );
  });

  test('deep nesting, too many messages and too many integers stop at the scan', () => {
    // Attribute -> graph -> node -> attribute ...: field 6 of Attribute, 1 of Graph, 5 of Node.
    let inner = new Uint8Array([0x0a, 0]);
    const wrap = (tag: number, bytes: Uint8Array) => {
      const size = bytes.length;
      const length = size < 128 ? [size] : [(size & 127) | 128, (size >> 7) & 127];
      return new Uint8Array([tag, ...length, ...bytes]);
    };
    for (let i = 0; i < 200; i++) inner = wrap([0x2a, 0x0a, 0x32][i % 3]!, inner);
    expect(
      codeOf(() => {
        prescan(wrap(0x3a, inner), 'deep');
      }),
    ).toBe('model-too-large');
    const limits = { depth: 64, messages: 3, integers: 2 };
    expect(
      codeOf(() => {
        prescan(good, 'many', undefined, limits);
      }),
    ).toBe('model-too-large');
    const many = { depth: 64, messages: 1e6, integers: 2 };
    expect(
      codeOf(() => {
        prescan(good, 'integers', undefined, many);
      }),
    ).toBe('model-too-large');
  });

  test('a field whose wire type does not fit its number is refused', () => {
    // Field 7 of the model (the graph) as a varint.
    expect(
      codeOf(() => {
        prescan(Uint8Array.of(0x38, 5), 'wire');
      }),
    ).toBe('not-onnx');
  });
});

describe('tensors that do not fit', () => {
  const cases: [string, TensorMessage][] = [
    ['too few bytes', { dims: [2], dataType: 1, rawData: new Uint8Array(7) }],
    ['too many values', { dims: [2], dataType: 1, floatData: [1, 2, 3] }],
    ['a negative size', { dims: [-2], dataType: 1, floatData: [] }],
    ['a size beyond memory', { dims: [2 ** 40], dataType: 1, floatData: [] }],
    ['text elements', { dims: [1], dataType: 8 }],
  ];
  test.each(cases)('%s', (_, message) => {
    const bytes = withTensor({ name: 'w', ...message });
    expect(codeOf(() => readOnnx(bytes))).toBe('bad-tensor');
    expect(() => readOnnx(bytes)).toThrow(/tensor "w"/);
  });
});

describe('weights in files beside the model', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lastbit-'));
    mkdirSync(join(folder, 'model'));
    writeFileSync(join(folder, 'outside.bin'), new Uint8Array(64));
    writeFileSync(
      join(folder, 'model/w.bin'),
      new Uint8Array([9, 9, 9, 9, 0, 0, 128, 63, 0, 0, 0, 64]),
    );
    symlinkSync(join(folder, 'outside.bin'), join(folder, 'model/link.bin'));
    symlinkSync(folder, join(folder, 'model/up'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const external = (entries: Record<string, string>) =>
    withTensor({
      name: 'w',
      dims: [2],
      dataType: 1,
      dataLocation: 1,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });
  const read = (entries: Record<string, string>) => {
    const path = join(folder, 'model/m.onnx');
    writeFileSync(path, external(entries));
    return readOnnxFile(path).graph.initializers.get('w')?.data;
  };

  test('are read at their offset', () => {
    expect(read({ location: 'w.bin', offset: '4', length: '8' })).toEqual(Float32Array.of(1, 2));
    expect(read({ location: './w.bin', offset: '4' })).toEqual(Float32Array.of(1, 2));
  });

  test('need the folder', () => {
    expect(() => readOnnx(external({ location: 'w.bin' }))).toThrow(/open the model by its path/);
  });

  const refused: [string, Record<string, string>, RegExp][] = [
    ['missing file', { location: 'gone.bin' }, /gone\.bin.*missing/],
    ['path out of the folder', { location: '../outside.bin' }, /leaves the model's folder/],
    ['hidden way out', { location: 'a/../../outside.bin' }, /leaves the model's folder/],
    ['absolute path', { location: '/etc/passwd' }, /relative to the model/],
    ['no path', {}, /relative to the model/],
    ['link', { location: 'link.bin' }, /link/],
    ['link on the way', { location: 'up/outside.bin' }, /link/],
    ['directory', { location: '.' }, /plain file/],
    ['beyond the end', { location: 'w.bin', offset: '8', length: '8' }, /the file has 12/],
    ['negative offset', { location: 'w.bin', offset: '-4', length: '8' }, /the file has 12/],
    ['other length', { location: 'w.bin', offset: '0', length: '12' }, /expected 8 bytes/],
  ];
  test.each(refused)('%s is refused', (_, entries, message) => {
    expect(codeOf(() => read(entries))).toBe('external-data');
    expect(() => read(entries)).toThrow(message);
  });
});

const data = process.env.LASTBIT_DATA;

(data === undefined ? describe.skip : describe)('real files (needs LASTBIT_DATA)', () => {
  const folder = join(data ?? '', 'models/float');
  const files = data === undefined ? [''] : readdirSync(folder).filter((f) => f.endsWith('.onnx'));

  test.each(files)('%s: encoded, read and encoded again is the same', (file) => {
    const first = encodeModel(readOnnxFile(join(folder, file)));
    const again = encodeModel(readOnnx(first));
    expect(Buffer.compare(first, again)).toBe(0);
  });
});
