// SPDX-License-Identifier: Apache-2.0
// `golden` and `verify` as a user would call them.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { availableIsas } from '../../src/engine/engine.js';
import { manifestJsonSchema, type Manifest } from '../../src/golden/index.js';
import type { VerifyDocument } from '../../src/report/index.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');
const images = join(fashion, 'test-images.npy');

let folder: string;
let model: string;
let vectors: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-golden-'));
  model = join(folder, 'quantized.onnx');
  vectors = join(folder, 'vectors');
  const net = join(fashion, 'sheng_fashion.onnx');
  await lastbitJson('quantize', net, '-o', model, '--data-free', '--recipe', 'naive');
  const formats = ['--formats', 'npy,bin,mem,h', '--accumulators', '--word-bits', 64];
  await lastbitJson('golden', model, '--images', images, '--limit', 2, '-o', vectors, ...formats);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const manifestOf = (at: string) =>
  JSON.parse(readFileSync(join(at, 'manifest.json'), 'utf8')) as Manifest;

/** A copy in which a file is changed. */
function changed(name: string, change: (at: string) => void): string {
  const at = join(folder, name);
  cpSync(vectors, at, { recursive: true });
  change(at);
  return at;
}

test('the folder: every file of the manifest, its schema, and a description of each layer', () => {
  const manifest = manifestOf(vectors);
  expect(manifest).toMatchObject({ target: 'tflm@2026.10', evidence: 'verified', notes: [] });
  expect(manifest.images).toHaveLength(2);
  const files = manifest.layers.flatMap(({ arrays }) => arrays.flatMap((one) => one.files));
  expect(files.every(({ path }) => existsSync(join(vectors, path)))).toBe(true);
  expect(new Set(files.map(({ path }) => path)).size).toBe(files.length);
  const schema = JSON.parse(readFileSync(join(vectors, 'manifest.schema.json'), 'utf8')) as object;
  expect(schema).toEqual(JSON.parse(JSON.stringify(manifestJsonSchema())));
  const { folder: first } = manifest.layers[0]!;
  const description = JSON.parse(
    readFileSync(join(vectors, first, 'image-001', 'desc.json'), 'utf8'),
  ) as object;
  expect(description).toMatchObject({
    ifm_file: ['input.npy'],
    ofm_file: ['output.npy'],
    expected_failure: false,
  });
});

test('verify: the same on every instruction set and number of threads, and from the model again', async () => {
  const before = process.env.LASTBIT_ISA;
  try {
    for (const isa of availableIsas()) {
      process.env.LASTBIT_ISA = isa;
      const document = await lastbitJson<VerifyDocument>('verify', vectors, '--threads', 2);
      expect(document).toMatchObject({ ok: true, differing: 0, first: null, images: 2 });
      expect(document.values).toBeGreaterThan(100000);
    }
  } finally {
    if (before === undefined) delete process.env.LASTBIT_ISA;
    else process.env.LASTBIT_ISA = before;
  }
  const { code, out } = await lastbit('verify', join(vectors, 'manifest.json'), '--model', model);
  expect([code, out]).toEqual([0, expect.stringContaining('all as the manifest says')]);
});

test('verify: a changed number is found, with its place and both values', async () => {
  const { folder: layer } = manifestOf(vectors).layers[2]!;
  const path = `${layer}/image-001/output.npy`;
  const at = changed('number', (copy) => {
    const bytes = readFileSync(join(copy, path));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(join(copy, path), bytes);
  });
  const { code, out } = await lastbit('verify', at, '--format', 'json');
  expect(code).toBe(1);
  const { first, differing } = JSON.parse(out) as VerifyDocument;
  expect([differing, first]).toEqual([1, { kind: 'file', path }]);

  // The manifest itself says something else: what is computed shows where.
  const lying = changed('manifest', (copy) => {
    const manifest = manifestOf(copy);
    const array = manifest.layers[2]!.arrays.find(
      ({ role, image }) => role === 'output' && image === 1,
    )!;
    const bytes = readFileSync(join(copy, path));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(join(copy, path), bytes);
    Object.assign(array, { sha256: '0'.repeat(64) });
    writeFileSync(join(copy, 'manifest.json'), JSON.stringify(manifest));
  });
  const text = await lastbit('verify', lying);
  expect(text.code).toBe(1);
  expect(text.out).toContain('2 differences');
  const json = await lastbit('verify', lying, '--format', 'json');
  const document = JSON.parse(json.out) as VerifyDocument;
  expect(document.first).toEqual({ kind: 'file', path });
});

test('verify: what is damaged or missing', async () => {
  const error = async (name: string, change: (at: string) => void) => {
    const { code, err } = await lastbit('verify', changed(name, change));
    return `${code} ${err}`;
  };
  const manifestIs = (text: string) => (at: string) => {
    writeFileSync(join(at, 'manifest.json'), text);
  };
  expect(await error('no-json', manifestIs('{'))).toMatch(/^3 error \[bad-manifest\].*no JSON/);
  expect(await error('no-manifest', manifestIs('{"schemaVersion": 2}'))).toMatch(
    /^3 error \[bad-manifest\]/,
  );
  const outside = (at: string) => {
    const manifest = manifestOf(at);
    manifest.program.path = '../../secret';
    writeFileSync(join(at, 'manifest.json'), JSON.stringify(manifest));
  };
  expect(await error('outside', outside)).toMatch(/^3 error.*inside of the folder/);
  const strange = (at: string) => {
    const manifest = manifestOf(at);
    manifest.layers[0]!.name = '2';
    writeFileSync(join(at, 'manifest.json'), JSON.stringify(manifest));
  };
  expect(await error('strange', strange)).toMatch(/^3 error \[bad-manifest\].*"2" is none of/);
  const without = (at: string) => {
    rmSync(join(at, 'program.lbp'));
  };
  expect(await error('no-program', without)).toMatch(/^3 error \[missing-file\]/);
  const gone = changed('gone', (at) => {
    rmSync(join(at, manifestOf(at).layers[0]!.arrays[0]!.files[0]!.path));
  });
  const { code, out } = await lastbit('verify', gone);
  expect([code, out]).toEqual([1, expect.stringContaining('missing file')]);
});

test('golden: bad input is one line, and nothing is left behind', async () => {
  const error = async (...args: (string | number)[]) => {
    const { code, err } = await lastbit('golden', model, '--images', images, '--limit', 1, ...args);
    return `${code} ${err}`;
  };
  const out = join(folder, 'new');
  const before = readdirSync(folder).sort();
  expect(await error('-o', vectors)).toMatch(/^2 error \[folder-in-use\]/);
  expect(await error('-o', model)).toMatch(/^2 error \[folder-in-use\].*got a file/);
  expect(await error('-o', out, '--layers', 'nope')).toMatch(/^2 error \[unknown-layer\]/);
  expect(await error('-o', out, '--layout', 'chwn')).toMatch(/^2 error \[unknown-layout\]/);
  expect(await error('-o', out, '--formats', 'mem', '--widths', 'weights=3')).toMatch(
    /^2 error \[narrow-width\].*3 bits hold -4 to 3/,
  );
  expect(await error('-o', out, '--formats', 'mem', '--word-bits', 7)).toMatch(/narrow-word/);
  expect(await error('-o', '/proc/lastbit/vectors')).toMatch(/^2 error \[cannot-write\]/);
  expect(readdirSync(folder).sort()).toEqual(before);
});

test('golden: some layers by name or number, replacing what is there', async () => {
  const [first] = manifestOf(vectors).layers;
  const out = join(folder, 'some');
  const args = ['golden', model, '--images', images, '--limit', 1, '-o', out];
  await lastbitJson(...args, '--layers', `${first!.name},2`, '--partial-sums', 9);
  await lastbitJson(...args, '--layers', `${first!.name},2`, '--partial-sums', 9, '--overwrite');
  const { layers, partialSums } = manifestOf(out);
  expect([layers.map(({ name }) => name), partialSums]).toEqual([
    [first!.name, manifestOf(vectors).layers[2]!.name],
    9,
  ]);
  expect(layers[0]!.arrays.map(({ role }) => role)).toContain('partial-sums');
  expect(await lastbitJson('verify', out)).toMatchObject({ ok: true });
});
