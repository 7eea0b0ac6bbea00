// SPDX-License-Identifier: Apache-2.0
// Layouts, words and files of golden vectors against their definitions, written index by index.
import { readNpy } from '../../src/data/index.js';
import { filesOf, type GoldenArray, type VectorSettings } from '../../src/golden/index.js';
import { arranged } from '../../src/golden/layout.js';

const settings: VectorSettings = {
  formats: ['npy'],
  layouts: { activations: 'nhwc', weights: 'ohwi' },
  endian: 'little',
  laneOrder: 'low-first',
  widths: {},
};

const [height, width, channels] = [2, 3, 5];
/** The number at y, x, c says where it is. */
const numberAt = (y: number, x: number, c: number) => 100 * y + 10 * x + c;
const image: GoldenArray = {
  ...{ role: 'output', name: 'output', dtype: 's16', axes: 'NHWC', filler: -7, bits: 16 },
  shape: [1, height, width, channels],
  data: Int16Array.from({ length: height * width * channels }, (_, i) =>
    numberAt(Math.floor(i / 15), Math.floor(i / 5) % 3, i % 5),
  ),
};

describe('layouts', () => {
  test('nchw', () => {
    const { axes, shape, data } = arranged(image, { activations: 'nchw', weights: 'ohwi' });
    expect([axes, shape]).toEqual(['NCHW', [1, channels, height, width]]);
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          expect(data[(c * height + y) * width + x]).toBe(numberAt(y, x, c));
  });

  test('tiles of two channels: the last is filled with the zero point', () => {
    const { axes, shape, data } = arranged(image, { activations: 'nchw2c', weights: 'ohwi' });
    expect([axes, shape]).toEqual(['NCHWc', [1, 3, height, width, 2]]);
    for (let c = 0; c < 6; c++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          expect(data[((Math.floor(c / 2) * height + y) * width + x) * 2 + (c % 2)]).toBe(
            c < channels ? numberAt(y, x, c) : -7,
          );
  });

  test('partial sums keep their steps in front', () => {
    const steps: GoldenArray = {
      ...image,
      ...{ axes: 'KNHWC', shape: [2, 1, height, width, channels] },
      data: Int16Array.from([...image.data, ...image.data].map(Number)),
    };
    const { axes, shape, data } = arranged(steps, { activations: 'nchw', weights: 'ohwi' });
    expect([axes, shape]).toEqual(['KNCHW', [2, 1, channels, height, width]]);
    const one = arranged(image, { activations: 'nchw', weights: 'ohwi' });
    expect([...data]).toEqual([...one.data, ...one.data]);
  });

  test.each([
    ['oihw', (o: number, i: number, y: number, x: number) => ((o * 2 + i) * 2 + y) * 3 + x],
    ['hwio', (o: number, i: number, y: number, x: number) => ((y * 3 + x) * 2 + i) * 4 + o],
  ])('weights %s', (weights, place) => {
    const array: GoldenArray = {
      ...{ role: 'weights', name: 'weights', dtype: 's8', axes: 'OHWI', filler: 0, bits: 8 },
      shape: [4, 2, 3, 2],
      data: Int8Array.from({ length: 48 }, (_, i) => i),
    };
    const { data } = arranged(array, { activations: 'nhwc', weights });
    for (let o = 0; o < 4; o++)
      for (let y = 0; y < 2; y++)
        for (let x = 0; x < 3; x++)
          for (let i = 0; i < 2; i++)
            expect(data[place(o, i, y, x)]).toBe(((o * 2 + y) * 3 + x) * 2 + i);
  });
});

describe('$readmemh', () => {
  const lines = (array: GoldenArray, more: Partial<VectorSettings>): string[] => {
    const [file] = filesOf(array, { ...settings, formats: ['mem'], ...more }, 'layer "a"');
    const [head, ...rest] = (file!.content as string).trimEnd().split('\n');
    expect(head).toMatch(/^\/\/ layer "a": /);
    return rest;
  };
  const bytes: GoldenArray = {
    ...{ role: 'weights', name: 'weights', dtype: 's8', axes: 'O', filler: 0, bits: 8 },
    ...{ shape: [5], data: Int8Array.of(-1, 1, -128, 127, 3) },
  };

  test('one number a line, in two digits of two', () => {
    expect(lines(bytes, {})).toEqual(['ff', '01', '80', '7f', '03']);
  });

  test('two lanes, the first in the low bits or in the high ones; the last word is filled with 0', () => {
    expect(lines(bytes, { wordBits: 16 })).toEqual(['01ff', '7f80', '0003']);
    expect(lines(bytes, { wordBits: 16, laneOrder: 'high-first' })).toEqual([
      'ff01',
      '807f',
      '0300',
    ]);
  });

  test('lanes that do not fill the word leave its upper bits 0', () => {
    expect(lines(bytes, { wordBits: 20 })).toEqual(['001ff', '07f80', '00003']);
  });

  test('narrow numbers: four bits, three of them in 13', () => {
    const narrow = { ...bytes, data: Int8Array.of(-8, 7, -1, 0, 5) };
    expect(lines(narrow, { widths: { weights: 4 }, wordBits: 13 })).toEqual(['0f78', '0050']);
    expect(() => lines(bytes, { widths: { weights: 4 } })).toThrow(
      /narrow-width.*layer "a".*4 bits hold -8 to 7, number 2 is -128/,
    );
    const unsigned = { ...bytes, dtype: 'u8', data: Uint8Array.of(15, 16) } as const;
    expect(() => lines(unsigned, { widths: { weights: 4 } })).toThrow(/0 to 15, number 1 is 16/);
  });

  test('a word narrower than its number is refused', () => {
    expect(() => lines(bytes, { wordBits: 7 })).toThrow(/narrow-word.*--word-bits 8 or more/);
  });

  test('floats are their bits, 64-bit integers whole', () => {
    const scales = { ...bytes, dtype: 'f32', bits: 32, data: Float32Array.of(1, -0.5) } as const;
    expect(lines(scales, {})).toEqual(['3f800000', 'bf000000']);
    const wide = { ...bytes, dtype: 's64', bits: 64, data: BigInt64Array.of(-2n, 1n) } as const;
    expect(lines(wide, {})).toEqual(['fffffffffffffffe', '0000000000000001']);
    expect(lines(wide, { wordBits: 128 })).toEqual(['0000000000000001fffffffffffffffe']);
  });
});

describe('other files', () => {
  const content = (format: 'npy' | 'bin' | 'h', more: Partial<VectorSettings> = {}) =>
    filesOf(image, { ...settings, formats: [format], ...more }, 'layer')[0]!.content;

  test('.npy keeps the axes whatever the layout', () => {
    const layouts = { activations: 'nchw', weights: 'ohwi' };
    const array = readNpy(content('npy', { layouts }) as Uint8Array, 'test');
    expect(array).toEqual({ dtype: 's16', shape: [1, 2, 3, 5], data: image.data });
  });

  test('.bin in either byte order', () => {
    const view = (endian: 'little' | 'big') => {
      const bytes = content('bin', { endian }) as Uint8Array;
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    };
    image.data.forEach((value, i) => {
      expect(view('little').getInt16(2 * i, true)).toBe(value);
      expect(view('big').getInt16(2 * i, false)).toBe(value);
    });
  });

  test('.h is an array of the type, the least integer spelled so that C takes it', () => {
    const text = content('h') as string;
    expect(text).toContain('static const int16_t lastbit_output[30] = {');
    const numbers = /\{([^}]*)\}/.exec(text)![1]!.match(/-?\d+/g)!.map(Number);
    expect(numbers).toEqual([...image.data].map(Number));
    const least = { ...image, dtype: 's32', data: Int32Array.of(-(2 ** 31), 7) } as const;
    const [file] = filesOf(least, { ...settings, formats: ['h'] }, 'layer');
    expect(file!.content).toContain('  INT32_MIN, 7,\n');
  });
});
