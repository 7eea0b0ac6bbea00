// SPDX-License-Identifier: Apache-2.0
// The whole path on the embedded network: float ONNX to exact integers, as a user would go it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readNpy, writeNpy } from '../../src/data/index.js';
import { interpret, pixelTable, programOf } from '../../src/index.js';
import { loadQuantizedModel } from '../../src/pipeline/index.js';
import type {
  CompareDocument,
  ConvertDocument,
  EvaluateDocument,
  InspectDocument,
  QuantizeDocument,
  RunDocument,
} from '../../src/report/index.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');
const float = join(fashion, 'mobilenet_v1_fashion.onnx');
const testImages = join(fashion, 'test-images.npy');
const testLabels = join(fashion, 'test-labels.npy');
const calibration = join(fashion, 'calibration-images.npy');

let folder: string;
let quantized: string;
let made: QuantizeDocument;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-end-to-end-'));
  quantized = join(folder, 'net.int8.onnx');
  made = await lastbitJson(
    'quantize',
    float,
    '-o',
    quantized,
    '--calib',
    calibration,
    '--limit',
    8,
    '--recipe',
    'naive',
  );
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('inspect tells what is in each form', async () => {
  const before = await lastbitJson<InspectDocument>('inspect', float);
  expect(before).toMatchObject({
    schemaVersion: 1,
    format: 'onnx',
    opset: 13,
    preprocess: 'tf',
    quantization: { state: 'float' },
    unsupported: [],
  });
  const after = await lastbitJson<InspectDocument>('inspect', quantized);
  expect(after.quantization).toEqual({ state: 'qdq', target: made.target, perChannel: true });
  expect(after.preprocess).toBe('tf');
  expect([after.macs, after.layers]).toEqual([before.macs, before.layers]);
  expect(after.metadata['lastbit.calibration']).toMatch(/^[0-9a-f]{64}$/);
});

test('quantize reports and leaves only its output and its config', () => {
  expect(made).toMatchObject({
    schemaVersion: 1,
    output: quantized,
    method: 'naive',
    layers: 28,
    images: 8,
    preprocess: 'tf',
    geometry: 'auto',
  });
  expect(made.target).toMatch(/^tflm@/);
  expect(made.steps.length).toBeGreaterThan(0);
  expect(made.geometryApplied).toEqual({ 'centre crop 32x32, no resizing': 8 });
  expect(
    readdirSync(folder)
      .filter((name) => name.startsWith('net.'))
      .sort(),
  ).toEqual(['net.int8.onnx', 'net.int8.onnx.lastbit.json']);
});

test('the config beside the output makes the same file again', async () => {
  const again = join(folder, 'again.onnx');
  const config = `${quantized}.lastbit.json`;
  await lastbitJson('quantize', '-c', config, '-o', again);
  expect(readFileSync(again).equals(readFileSync(quantized))).toBe(true);
});

test('run gives the codes of the specification, and writes them with a manifest', async () => {
  const out = join(folder, 'taps');
  const pixels = readNpy(readFileSync(testImages), testImages);
  const image = join(folder, 'one.npy');
  const data = (pixels.data as Uint8Array).slice(0, 1024);
  writeFileSync(image, writeNpy({ dtype: 'u8', shape: [32, 32, 1], data }));
  const names = join(fashion, 'classes.txt');
  const result = await lastbitJson<RunDocument>(
    'run',
    quantized,
    '--input',
    image,
    '--taps',
    'all',
    '--out',
    out,
    '--top',
    3,
    '--names',
    names,
  );
  expect(result.top.length).toBe(3);
  expect(result.top[0]!.label).toMatch(/\w/);

  const model = await loadQuantizedModel(quantized);
  const program = programOf(model);
  const f32 = Math.fround;
  const table = pixelTable(program, (pixel) => f32(f32(pixel / 127.5) - 1));
  const codes = Int8Array.from(
    { length: 3072 },
    (_, i) => table[(i % 3) * 256 + data[Math.floor(i / 3)]!]!,
  );
  const defined = interpret(program, codes, { taps: 'all' });

  const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')) as {
    files: { file: string; name: string; role: string; sha256: string; shape: number[] }[];
  };
  expect(manifest.files.map(({ role }) => role).sort()[0]).toBe('input');
  for (const { file, name, sha256, shape } of manifest.files) {
    const array = readNpy(readFileSync(join(out, file)), file);
    expect(array.shape).toEqual(shape);
    const bytes = new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    const expected =
      defined.taps.get(name) ?? defined.outputs.find((tensor) => tensor.name === name);
    const { buffer, byteOffset, byteLength } = expected?.data ?? codes;
    expect(Buffer.from(bytes).equals(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
  }
  expect(manifest.files.length).toBe(defined.taps.size + 1);
  expect(existsSync(join(out, 'lastbit.json'))).toBe(true);
  const refused = await lastbit('run', quantized, '--input', image, '--out', out);
  expect(refused).toMatchObject({ code: 2, out: '' });
  expect(refused.err).toContain('[folder-in-use]');
});

test('compare: every layer behind the others and alone', async () => {
  const { layers, output, images, top1Agreement } = await lastbitJson<CompareDocument>(
    'compare',
    float,
    quantized,
    '--images',
    testImages,
    '--limit',
    4,
  );
  expect(images).toBe(4);
  expect(layers.filter(({ op }) => op === 'conv').length).toBe(28);
  expect(output!.name).toBe(layers.at(-1)!.name);
  expect(top1Agreement).toBeGreaterThanOrEqual(50);
  for (const layer of layers) {
    // Alone, an 8-bit layer per channel keeps its signal; behind others it cannot be better by much.
    expect(layer.sqnrIsolatedDb).toBeGreaterThan(20);
    expect(layer.sqnrDb).toBeLessThan(layer.sqnrIsolatedDb! + 6);
    expect(layer.cosine).toBeGreaterThan(0.5);
  }
  expect(layers[0]!.kind).toBe('dense');
  expect(layers[1]!.kind).toBe('depthwise');
});

test('evaluate: same result in any form, any number of threads, interrupted or not', async () => {
  const common = ['--images', testImages, '--labels', testLabels, '--limit', 40] as const;
  const whole = await lastbitJson<EvaluateDocument>(
    'evaluate',
    quantized,
    ...common,
    '--float',
    float,
  );
  expect(whole).toMatchObject({ n: 40, labelOffset: 0, preprocess: 'tf' });
  expect(whole.float!.top1).toBeGreaterThan(75);
  expect(Math.abs(whole.paired!.delta)).toBeLessThan(15);
  expect(whole.top1Ci95[0]).toBeLessThan(whole.top1);

  const program = join(folder, 'net.lbp');
  const converted = await lastbitJson<ConvertDocument>('convert', quantized, '-o', program);
  expect(converted).toMatchObject({ form: 'lbp', target: made.target, layers: 28 });
  const qdq = join(folder, 'copy.onnx');
  await lastbitJson('convert', quantized, '-o', qdq);
  expect(readFileSync(qdq).equals(readFileSync(quantized))).toBe(true);

  const { n, top1, top5 } = whole;
  const bound = await lastbitJson<EvaluateDocument>('evaluate', program, ...common, '--threads', 3);
  expect({ n: bound.n, top1: bound.top1, top5: bound.top5 }).toEqual({ n, top1, top5 });

  const out = join(folder, 'evaluation');
  const resumable = ['evaluate', program, ...common.slice(0, 4), '--out', out] as const;
  await lastbitJson(...resumable, '--limit', 15);
  const again = await lastbit(...resumable, '--limit', 40);
  expect(again).toMatchObject({ code: 2, out: '' });
  const rest = await lastbitJson<EvaluateDocument>(...resumable, '--limit', 40, '--resume');
  expect(rest).toMatchObject({ n, top1, top5, resumedFrom: 15 });
  expect(readdirSync(out).sort()).toEqual(['lastbit.json', 'progress.json', 'result.json']);
  expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toMatchObject({ n, top1 });
});

describe('wrong inputs: exit code, one line, nothing written', () => {
  const cases: [string, number, string, () => (string | number)[]][] = [
    [
      'a model that is not there',
      3,
      'no-such-file',
      () => ['run', 'none.onnx', '--input', testImages],
    ],
    ['a folder as model', 3, 'no-such-file', () => ['inspect', folder]],
    ['a text file as model', 3, '', () => ['inspect', put('model.onnx', 'hello')]],
    ['an empty file as model', 3, '', () => ['inspect', put('empty.onnx', '')]],
    [
      'a truncated model',
      3,
      '',
      () => ['inspect', put('cut.onnx', readFileSync(float).subarray(0, 5000))],
    ],
    [
      'a truncated program',
      3,
      '',
      () => ['inspect', put('cut.lbp', Buffer.from('LBP1\x01\0\0\0'))],
    ],
    ['a float model to run', 3, 'float-model', () => ['run', float, '--input', testImages]],
    [
      'a float model to evaluate',
      3,
      'float-model',
      () => ['evaluate', float, '--images', testImages, '--labels', testLabels],
    ],
    [
      'a quantized model to quantize',
      3,
      'not-float',
      () => ['quantize', quantized, '-o', target(), '--calib', calibration],
    ],
    ['no calibration', 2, 'missing-option', () => ['quantize', float, '-o', target()]],
    [
      'a calibration folder without images',
      3,
      'no-images',
      () => ['quantize', float, '-o', target(), '--calib', emptyFolder()],
    ],
    [
      'a calibration folder that is not there',
      3,
      'no-such-folder',
      () => ['quantize', float, '-o', target(), '--calib', join(folder, 'none')],
    ],
    [
      'an image that is none',
      3,
      'not-an-image',
      () => ['quantize', float, '-o', target(), '--calib', brokenImages()],
    ],
    [
      'an unknown target',
      2,
      'unknown-target',
      () => ['quantize', float, '-o', target(), '--calib', calibration, '--target', 'x'],
    ],
    [
      'an unknown preset',
      2,
      'unknown-preset',
      () => ['quantize', float, '-o', target(), '--calib', calibration, '--preprocess', 'x'],
    ],
    [
      'an unknown recipe',
      2,
      'unknown-recipe',
      () => ['quantize', float, '-o', target(), '--calib', calibration, '--recipe', 'x'],
    ],
    [
      'an output of another form',
      2,
      'output-form',
      () => ['quantize', float, '-o', join(folder, 'x.pb'), '--calib', calibration],
    ],
    [
      'an output that is there',
      2,
      'file-exists',
      () => ['quantize', float, '-o', quantized, '--calib', calibration],
    ],
    ['no input', 2, 'missing-input', () => ['run', boundProgram]],
    [
      'two inputs',
      2,
      'missing-input',
      () => ['run', boundProgram, '--input', testImages, '--images', testImages],
    ],
    [
      'an unknown tap',
      2,
      'unknown-tap',
      () => ['run', boundProgram, '--images', testImages, '--limit', 1, '--taps', 'x'],
    ],
    ['a NaN', 3, 'not-finite', () => ['run', boundProgram, '--input', put('nan.npy', nan())]],
    [
      'names of another network',
      2,
      'names-count',
      () => ['run', boundProgram, '--images', testImages, '--names', put('n.txt', 'a\nb\n')],
    ],
    [
      'labels that list a missing file',
      3,
      'no-such-file',
      () => [
        'evaluate',
        boundProgram,
        '--images',
        emptyFolder(),
        '--labels',
        put('l.csv', 'file,label\na.png,1\n'),
      ],
    ],
    [
      'labels out of range',
      3,
      'label-out-of-range',
      () => [
        'evaluate',
        boundProgram,
        '--images',
        testImages,
        '--labels',
        testLabels,
        '--label-offset',
        5,
      ],
    ],
    [
      'labels of another number',
      3,
      'bad-labels',
      () => [
        'evaluate',
        boundProgram,
        '--images',
        testImages,
        '--labels',
        join(fashion, 'calibration-labels.npy'),
      ],
    ],
    [
      'resume without a folder',
      2,
      'missing-option',
      () => ['evaluate', boundProgram, '--images', testImages, '--labels', testLabels, '--resume'],
    ],
    [
      'a program under another target',
      2,
      'program-bound',
      () => ['run', boundProgram, '--images', testImages, '--target', 'pow2'],
    ],
    ['a program back to ONNX', 3, 'program-bound', () => ['convert', boundProgram, '-o', target()]],
    [
      'two parts that do not fit',
      3,
      'cannot-join',
      () => ['convert', quantized, quantized, '-o', target()],
    ],
  ];
  let boundProgram: string;
  beforeAll(async () => {
    boundProgram = join(folder, 'bound.lbp');
    await lastbitJson('convert', quantized, '-o', boundProgram);
  });

  const put = (name: string, content: string | Uint8Array): string => {
    const file = join(folder, `wrong-${name}`);
    writeFileSync(file, content);
    return file;
  };
  const target = (): string => join(folder, 'unwritten.onnx');
  const emptyFolder = (): string => {
    mkdirSync(join(folder, 'empty'), { recursive: true });
    return join(folder, 'empty');
  };
  const brokenImages = (): string => {
    mkdirSync(join(folder, 'broken'), { recursive: true });
    writeFileSync(join(folder, 'broken/a.png'), 'no image');
    return join(folder, 'broken');
  };
  const nan = (): Uint8Array =>
    writeNpy({ dtype: 'f32', shape: [1, 3, 32, 32], data: new Float32Array(3072).fill(NaN) });

  test.each(cases)('%s', async (_, exit, code, args) => {
    const words = args();
    const before = readdirSync(folder);
    const { code: got, out, err } = await lastbit(...words, '--format', 'json');
    expect([got, out]).toEqual([exit, '']);
    expect(err).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(err)).toMatchObject({
      kind: 'error',
      code: expect.stringContaining(code) as string,
    });
    expect(readdirSync(folder)).toEqual(before);
  });
});

test('a reader that goes away is no error', async () => {
  const script = join(__dirname, 'from-source.cjs');
  const child = spawn(process.execPath, [script, 'targets', '--format', 'json']);
  let err = '';
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  child.stdout.destroy();
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect([code, err]).toEqual([0, '']);
});
