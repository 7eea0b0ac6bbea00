// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import sharp from 'sharp';

import type { LoadedSample, LoadedSource, LoadOptions, NpyDType } from '../../src/data/index.js';
import {
  fileSource,
  folderSource,
  itemSource,
  labelledSource,
  packedSource,
  presets,
  readLabels,
  readNames,
  resolveLabelOffset,
  writeNpy,
} from '../../src/data/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-sources-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const input = { height: 2, width: 2, channels: 3 };
const options: LoadOptions = {
  input,
  preprocessing: () => ({ preset: presets.none, geometry: 'auto', decidedBy: 'flag' }),
};
const noPixels: LoadOptions = {
  input,
  preprocessing: () => {
    throw new Error('asked for a preprocessing without pixels');
  },
};

const put = (name: string, content: Uint8Array | string): string => {
  const file = join(folder, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, content);
  return file;
};
const npy = (dtype: NpyDType, shape: number[], values: number[]): Uint8Array => {
  const arrays = { f32: Float32Array, u8: Uint8Array, s8: Int8Array } as const;
  const array = arrays[dtype as keyof typeof arrays];
  return writeNpy({ dtype, shape, data: array.from(values) });
};
const only = async (file: string, how: LoadOptions = options): Promise<LoadedSample> => {
  for await (const sample of fileSource(file, how)) return sample;
  throw new Error('no sample');
};
const counting = Array.from({ length: 12 }, (_, i) => i);
const nchw = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11];

describe('what a file means', () => {
  test('an image is pixels', async () => {
    const image = sharp(Uint8Array.from(counting), { raw: { width: 2, height: 2, channels: 3 } });
    const sample = await only(put('a.png', await image.png().toBuffer()));
    expect([...sample.pixels!]).toEqual(counting);
    expect([...sample.input]).toEqual(nchw);
  });

  test('u8 is pixels in either layout, any size where NHWC', async () => {
    expect([...(await only(put('a.npy', npy('u8', [2, 2, 3], counting)))).pixels!]).toEqual(
      counting,
    );
    expect([...(await only(put('b.npy', npy('u8', [1, 3, 2, 2], nchw)))).pixels!]).toEqual(
      counting,
    );
    expect([...(await only(put('c.bin', Uint8Array.from(counting)))).pixels!]).toEqual(counting);
    const large = npy('u8', [4, 6, 3], Array<number>(72).fill(9));
    expect([...(await only(put('d.npy', large))).pixels!]).toEqual(Array(12).fill(9));
  });

  test('grey and colour serve a network that wants the other', async () => {
    const grey = put('a.npy', npy('u8', [2, 2], [1, 2, 3, 4]));
    expect([...(await only(grey)).pixels!]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    const flat = put(
      'b.npy',
      npy(
        'u8',
        [2, 2, 3],
        [1, 2, 3, 4].flatMap((v) => [v, v, v]),
      ),
    );
    const one = { ...options, input: { ...input, channels: 1 } };
    expect([...(await only(flat, one)).pixels!]).toEqual([1, 2, 3, 4]);
  });

  test('f32 is the input itself, and needs no preprocessing', async () => {
    const values = counting.map((i) => i / 4);
    const chw = nchw.map((i) => i / 4);
    for (const [name, shape, data] of [
      ['a.npy', [1, 3, 2, 2], chw],
      ['b.npy', [2, 2, 3], values],
    ] as const) {
      const sample = await only(put(name, npy('f32', [...shape], data)), noPixels);
      expect([...sample.input]).toEqual(chw);
      expect(sample.pixels).toBeUndefined();
    }
    const bin = Buffer.from(Float32Array.from(chw).buffer);
    expect([...(await only(put('c.bin', bin), noPixels)).input]).toEqual(chw);
  });

  test('codes: s8 by its type, u8 when said so', async () => {
    const s8 = {
      ...noPixels,
      input: { ...input, dtype: 's8', scale: 0.5, zeroPoint: -2 },
    } as const;
    const signed = counting.map((i) => i - 6);
    const sample = await only(put('a.npy', npy('s8', [2, 2, 3], signed)), s8);
    expect(sample.codes).toEqual(Int8Array.from(signed));
    expect([...sample.input]).toEqual(nchw.map((i) => 0.5 * (i - 6 + 2)));
    const bin = put('b.bin', new Uint8Array(Int8Array.from(signed).buffer));
    const raw = await only(bin, { ...s8, inputKind: 'codes' });
    expect(raw.codes).toEqual(Int8Array.from(signed));
    const u8 = { ...noPixels, inputKind: 'codes', input: { ...input, dtype: 'u8' } } as const;
    const file = put('c.npy', npy('u8', [3, 2, 2], nchw));
    expect((await only(file, u8)).codes).toEqual(Uint8Array.from(counting));
  });

  test.each<[string, string, Uint8Array | string, string]>([
    ['a wrong shape', 'a.npy', npy('f32', [3, 3, 3], Array<number>(27).fill(0)), 'input-shape'],
    ['a wrong size', 'a.bin', new Uint8Array(13), 'input-shape'],
    ['four channels', 'a.npy', npy('u8', [2, 2, 4], Array<number>(16).fill(0)), 'input-shape'],
    ['a NaN', 'a.npy', npy('f32', [3, 2, 2], [...counting.slice(1), NaN]), 'not-finite'],
    [
      'an infinity',
      'a.npy',
      npy('f32', [3, 2, 2], [-Infinity, ...counting.slice(1)]),
      'not-finite',
    ],
    ['codes for a float input', 'a.npy', npy('s8', [2, 2, 3], counting), 'codes-out-of-place'],
    ['text', 'a.png', 'hello', 'not-an-image'],
    ['text', 'a.npy', 'hello', 'bad-npy'],
  ])('refuses %s (%s)', async (_, name, content, code) => {
    const file = put(name, content);
    await expect(only(file)).rejects.toThrow(`[${code}] ${file}`);
  });

  test('names a file that is not there', async () => {
    for (const name of ['a.png', 'a.npy', 'a.bin']) {
      await expect(only(join(folder, name))).rejects.toThrow('[no-such-file]');
    }
  });
});

describe('folders', () => {
  test('are searched to the bottom, sorted, other files and hidden ones passed over', async () => {
    const pixel = Uint8Array.from(counting);
    for (const name of ['b.bin', 'a/z.BIN', 'a.bin', 'B.bin', '.c.bin', 'notes.txt'])
      put(name, pixel);
    const names: string[] = [];
    const source = folderSource(folder, options);
    for await (const { name } of source) names.push(name);
    expect(names).toEqual(['B.bin', 'a.bin', 'a/z.BIN', 'b.bin']);
    expect(source.count).toBe(4);
    expect(folderSource(folder, { ...options, limit: 2 }).count).toBe(2);
    expect(source.skip(3).count).toBe(1);
  });

  test('without images, or no folder at all, are refused', () => {
    put('labels.csv', 'file,label\n');
    expect(() => folderSource(folder, options)).toThrow(`[no-images] ${folder}`);
    expect(() => folderSource(join(folder, 'x'), options)).toThrow('[no-such-folder]');
    expect(() => folderSource(join(folder, 'labels.csv'), options)).toThrow('[no-such-folder]');
  });
});

describe('labels', () => {
  const labelled = { ...options, labelOffset: 0, classes: 10 };

  test('come with their files, sorted, other columns ignored', async () => {
    for (const name of ['b.bin', 'x,y.bin']) put(name, Uint8Array.from(counting));
    const csv = put('l.csv', '\uFEFFsynset,label,file\r\nn1,3,"x,y.bin"\r\n\r\n"n""2",4,b.bin\r\n');
    const got: unknown[] = [];
    const source = labelledSource(folder, csv, { ...labelled, labelOffset: 1 });
    for await (const { name, label, pixels, input: reals } of source) {
      got.push([name, label, pixels!.length, reals.length]);
    }
    expect(got).toEqual([
      ['b.bin', 5, 12, 12],
      ['x,y.bin', 4, 12, 12],
    ]);
  });

  test.each([
    ['no header', '1.png,4\n', 'bad-labels'],
    ['nothing', '', 'bad-labels'],
    ['a header alone', 'file,label\n', 'bad-labels'],
    ['a class that is no number', 'file,label\na.png,cat\n', ':2: expected a file and a class'],
    ['a line cut short', 'file,label\na.png,1\nb.png', ':3: expected a file and a class'],
    ['a file listed twice', 'file,label\na.png,1\na.png,2\n', 'listed twice'],
    ['an open quote', 'file,label\n"a.png,1\n', 'bad-csv'],
  ])('refuse %s', (_, text, reason) => {
    const csv = put('l.csv', text);
    expect(() => readLabels(csv)).toThrow(reason);
  });

  test('name files that are missing, and labels out of range, before any work', () => {
    const csv = put('l.csv', 'file,label\na.png,1\nb.png,1\nc.bin,12\n');
    put('c.bin', Uint8Array.from(counting));
    expect(() => labelledSource(folder, csv, labelled)).toThrow(
      /\[no-such-file\] .*a\.png: .*\(and 1 more\)/,
    );
    const short = put('s.csv', 'file,label\nc.bin,12\n');
    expect(() => labelledSource(folder, short, labelled)).toThrow('[label-out-of-range] c.bin');
    expect(() => readLabels(join(folder, 'none.csv'))).toThrow('[no-such-file]');
  });

  test('offset: one for background-first networks, unless said otherwise', () => {
    expect([
      resolveLabelOffset(1001),
      resolveLabelOffset(1000),
      resolveLabelOffset(1001, 0),
    ]).toEqual([1, 0, 0]);
  });

  test('names: ids are dropped, a background is put first where there is one', () => {
    const file = put('n.txt', 'n01440764 tench, Tinca tinca\nn01443537 goldfish\n');
    expect(readNames(file, 2)).toEqual(['tench, Tinca tinca', 'goldfish']);
    expect(() => readNames(file, 3)).toThrow('[names-count]');
    const thousand = put('t.txt', Array.from({ length: 1000 }, (_, i) => `class ${i}`).join('\n'));
    expect(readNames(thousand, 1001).slice(0, 2)).toEqual(['background', 'class 0']);
  });
});

describe('packed images', () => {
  test('carry their labels', async () => {
    const images = put(
      'i.npy',
      npy('u8', [2, 2, 2, 3], [...counting, ...counting.map((i) => i + 100)]),
    );
    const labels = put('l.npy', npy('u8', [2], [7, 3]));
    const got: unknown[] = [];
    const source = packedSource(images, labels, { ...options, labelOffset: 0, classes: 10 });
    for await (const { name, label, pixels } of source) got.push([name, label, pixels![0]]);
    expect(got).toEqual([
      ['i.npy#0', 7, 0],
      ['i.npy#1', 3, 100],
    ]);
    const three = put('3.npy', npy('u8', [3], [1, 2, 3]));
    expect(() => packedSource(images, three, { ...options, labelOffset: 0, classes: 10 })).toThrow(
      'expected 2 labels',
    );
  });
});

describe('stacks of preprocessed samples', () => {
  const source = (shape: number[], input = { channels: 3, height: 2, width: 4 }) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);
    const file = put('s.npy', npy('f32', shape, [...data]));
    return packedSource(file, undefined, { ...options, input, labelOffset: 0, classes: 0 });
  };
  const inputs = async (from: LoadedSource): Promise<number[][]> => {
    const all: number[][] = [];
    for await (const { input } of from) all.push([...input]);
    return all;
  };
  const counted = (first: number): number[] => Array.from({ length: 24 }, (_, i) => first + i);

  test.each([[[2, 3, 2, 4]], [[2, 1, 3, 2, 4]]])('%j is two, channels first', async (shape) => {
    expect(await inputs(source(shape))).toEqual([counted(0), counted(24)]);
  });

  test('a single sample is one', async () => {
    expect(await inputs(source([3, 2, 4]))).toEqual([counted(0)]);
    expect(await inputs(source([1, 3, 2, 4]))).toEqual([counted(0)]);
  });

  test('channels last are put first', async () => {
    const [first, second] = await inputs(source([2, 2, 4, 3]));
    expect(first!.slice(0, 8)).toEqual([0, 3, 6, 9, 12, 15, 18, 21]);
    expect(second![8]).toBe(25);
  });

  test('one channel may be left out', async () => {
    const input = { channels: 1, height: 2, width: 3 };
    expect(await inputs(source([2, 2, 3], input))).toEqual([
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9, 10, 11],
    ]);
  });

  test('a layout that fits both ways is the one of the file', async () => {
    const input = { channels: 2, height: 2, width: 2 };
    expect(await inputs(source([1, 2, 2, 2], input))).toEqual([[0, 1, 2, 3, 4, 5, 6, 7]]);
    const last = { ...input, layout: 'NHWC' } as const;
    expect(await inputs(source([1, 2, 2, 2], last))).toEqual([[0, 2, 4, 6, 1, 3, 5, 7]]);
  });

  test.each([[[2, 3, 4, 2]], [[2, 24]], [[24]], [[0, 3, 2, 4]]])(
    '%j is refused with what fits and the way out',
    (shape) => {
      expect(() => source(shape)).toThrow(
        /\[input-shape\].*\[N, 3, 2, 4\] or \[N, 2, 4, 3\].*folder with one \.npy per sample/,
      );
    },
  );
});

describe('loading ahead', () => {
  test('holds a few samples whatever the number of images, and keeps their order', async () => {
    let loading = 0;
    let most = 0;
    const items = Array.from({ length: 40 }, (_, i) => ({
      name: String(i),
      content: () => '',
      load: async (): Promise<LoadedSample> => {
        most = Math.max(most, ++loading);
        await new Promise((resolve) => setTimeout(resolve, (i * 7) % 5));
        return { name: String(i), input: new Float32Array(1), how: '' };
      },
    }));
    const names: string[] = [];
    for await (const { name } of itemSource(items)) {
      loading--;
      names.push(name);
    }
    expect(names).toEqual(items.map(({ name }) => name));
    expect(most).toBeLessThanOrEqual(5);
  });

  test('reports an error at its place in the order', async () => {
    put('a.bin', Uint8Array.from(counting));
    put('b.bin', 'x');
    put('c.bin', 'y');
    const names: string[] = [];
    const run = async (): Promise<void> => {
      for await (const { name } of folderSource(folder, options)) names.push(name);
    };
    await expect(run()).rejects.toThrow('b.bin');
    expect(names).toEqual(['a.bin']);
  });
});
