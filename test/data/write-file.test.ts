// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { requireFree, writeFileAtomic } from '../../src/data/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-write-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('writes into folders it makes, replaces, and leaves nothing else behind', () => {
  const file = join(folder, 'a/b.txt');
  writeFileAtomic(file, 'one');
  writeFileAtomic(file, 'two');
  expect(readFileSync(file, 'utf8')).toBe('two');
  expect(readdirSync(join(folder, 'a'))).toEqual(['b.txt']);
});

test('a failure leaves what was there, and no part of the rest', () => {
  writeFileSync(join(folder, 'file'), 'kept');
  expect(() => {
    writeFileAtomic(join(folder, 'file/below.txt'), 'x');
  }).toThrow('[cannot-write]');
  mkdirSync(join(folder, 'taken'));
  expect(() => {
    writeFileAtomic(join(folder, 'taken'), 'x');
  }).toThrow('[cannot-write]');
  expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
});

test('refuses to replace unless told to', () => {
  const file = join(folder, 'a.txt');
  requireFree(file, false);
  writeFileSync(file, 'x');
  expect(() => {
    requireFree(file, false);
  }).toThrow('[file-exists]');
  requireFree(file, true);
});
