// SPDX-License-Identifier: Apache-2.0
// Labels without a CSV: a folder for each class, and lists without a header.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { classFolders, labelledSource, readLabels } from '../../src/data/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-classes-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const load = {
  ...{ input: { channels: 1, height: 1, width: 1, layout: 'NCHW' }, labelOffset: 0, classes: 3 },
  ...{ preprocessing: () => undefined, geometry: 'auto' },
} as unknown as Parameters<typeof labelledSource>[2];

function images(...files: string[]): void {
  for (const file of files) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
}

test('folders in alphabetical order are the classes, one image of each in turn', () => {
  images('n02/b.jpg', 'n01/c.jpg', 'n01/a.jpg', 'n03/z.png', 'n01/notes.txt');
  const names = (limit?: number) =>
    labelledSource(folder, classFolders, { ...load, limit }).items.map(({ name }) => name);
  expect(names()).toEqual(['n01/a.jpg', 'n02/b.jpg', 'n03/z.png', 'n01/c.jpg']);
  expect(names(2)).toEqual(['n01/a.jpg', 'n02/b.jpg']);
});

test('an image outside of any folder, more classes than the network has', () => {
  images('n01/a.jpg', 'b.jpg');
  expect(() => labelledSource(folder, classFolders, load)).toThrow(/"b.jpg" lies in no folder/);
  rmSync(join(folder, 'b.jpg'));
  images('n02/a.jpg', 'n03/a.jpg', 'n04/a.jpg');
  expect(() => labelledSource(folder, classFolders, load)).toThrow(/label-out-of-range.*n04/);
});

test('lines of a file and a class, as Caffe has them', () => {
  const list = join(folder, 'val.txt');
  writeFileSync(list, 'b one.jpg 2\r\nILSVRC2012_val_1.JPEG\t65\n"a",c.jpg 7\n');
  expect(readLabels(list)).toEqual([
    { file: '"a",c.jpg', label: 7 },
    { file: 'ILSVRC2012_val_1.JPEG', label: 65 },
    { file: 'b one.jpg', label: 2 },
  ]);
  writeFileSync(list, 'a.jpg 1\nb.jpg two\n');
  expect(() => readLabels(list)).toThrow(/bad-labels.*:3.*"two"/);
});
