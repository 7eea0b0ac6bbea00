// SPDX-License-Identifier: Apache-2.0
// A page from documents that the commands themselves write, for the embedded network.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { CompareDocument, EvaluateDocument, ReportDocument } from '../../src/report/index.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');
const float = join(fashion, 'mobilenet_v1_fashion.onnx');
const images = ['--images', join(fashion, 'test-images.npy')];

let folder: string;
const at = (name: string): string => join(folder, name);

/** Runs a command and keeps its document; one that found something ends with 1. */
async function document<T>(name: string, ...args: string[]): Promise<T> {
  const { code, out, err } = await lastbit(...args, '--format', 'json');
  if (code > 1) throw new Error(err);
  writeFileSync(at(`${name}.json`), out);
  return JSON.parse(out) as T;
}

let compared: CompareDocument;
let evaluated: EvaluateDocument;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-report-'));
  const calib = ['--calib', join(fashion, 'calibration-images.npy'), '--limit', '16'];
  await document('analyze', 'analyze', float);
  await document('quantize', 'quantize', float, '-o', at('q.onnx'), ...calib, '--recipe', 'naive');
  compared = await document('compare', 'compare', float, at('q.onnx'), ...images, '--limit', '2');
  const labels = ['--labels', join(fashion, 'test-labels.npy'), '--limit', '20'];
  evaluated = await document(
    'evaluate',
    'evaluate',
    at('q.onnx'),
    '--float',
    float,
    ...images,
    ...labels,
  );
  await document(
    'diff',
    'diff',
    at('q.onnx'),
    '--target',
    'tflm,xnnpack',
    ...images,
    '--limit',
    '1',
  );
  await document('prove', 'prove', at('q.onnx'));
  await document(
    'golden',
    'golden',
    at('q.onnx'),
    ...images,
    '--limit',
    '1',
    '--layers',
    '0',
    '-o',
    at('golden'),
  );
  await document('verify', 'verify', at('golden/manifest.json'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const everything = [
  'analyze',
  'quantize',
  'evaluate',
  'compare',
  'diff',
  'prove',
  'golden',
  'verify',
];
const files = (...names: string[]): string[] => names.map((name) => at(`${name}.json`));
const report = (...args: string[]) => lastbit('report', ...args);

test('a document says which command made it, with which options, of which files', () => {
  const { kind, version, options, models } = JSON.parse(
    readFileSync(at('compare.json'), 'utf8'),
  ) as {
    readonly kind: string;
    readonly version: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly models: CompareDocument['models'];
  };
  expect(kind).toBe('compare');
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(options).toMatchObject({ float, quant: at('q.onnx'), limit: 2 });
  expect(models.float!.file).toBe(float);
  expect(models.quantized!.sha256).toMatch(/^[0-9a-f]{64}$/);
});

test('one page of all documents, with the figures that they have', async () => {
  const page = await lastbitJson<ReportDocument>(
    ...['report', ...files(...everything), at('golden/manifest.json')],
    ...['-o', at('all.html')],
  );
  expect(page.networks).toMatchObject([{ name: 'mobilenet_v1_fashion' }]);
  expect(page.networks[0]!.documents).toHaveLength(9);
  expect(page.bytes).toBeLessThan(3_000_000);
  const html = readFileSync(at('all.html'), 'utf8');
  expect(html).toContain(`<div class="value">${evaluated.top1.toFixed(2)} %</div>`);
  for (const { name, sqnrDb, rmsErrorLsb } of compared.layers) {
    const row = html.split('n1-layer-table">')[1]!.split('</table>')[0]!.split('<tr>');
    const own = row.find((cells) => cells.includes(`>${name}</a>`))!;
    expect(own).toContain(`data-sort="${sqnrDb}">${sqnrDb.toFixed(1)}</td>`);
    expect(own).toContain(`data-sort="${rmsErrorLsb}">${rmsErrorLsb.toFixed(2)}</td>`);
  }
});

test('plots and their specifications', async () => {
  const { code } = await report(
    ...files('compare', 'prove'),
    '-o',
    at('p.html'),
    '--plots',
    at('plots'),
    '--spec',
  );
  expect(code).toBe(0);
  const names = ['n1-accumulator-bits', 'n1-error-by-depth'];
  const endings = ['png', 'svg', 'vl.json'];
  expect(readdirSync(at('plots')).sort()).toEqual(
    names.flatMap((name) => endings.map((ending) => `${name}.${ending}`)),
  );
  const spec = readFileSync(at('plots/n1-error-by-depth.vl.json'), 'utf8');
  expect(JSON.parse(spec)).toMatchObject({ $schema: expect.stringContaining('vega-lite') });
  expect(spec + readFileSync(at('plots/n1-error-by-depth.svg'), 'utf8')).not.toContain('var(--');
  const png = readFileSync(at('plots/n1-error-by-depth.png'));
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  expect(
    (await report(...files('compare'), '-o', at('p2.html'), '--plots', at('plots'))).err,
  ).toMatch(/^error \[folder-in-use\]/);
});

describe('refusals: one line, nothing written', () => {
  beforeAll(async () => {
    mkdirSync(at('folder'));
    writeFileSync(at('damaged.json'), '{"schemaVersion": 1');
    writeFileSync(at('future.json'), '{"schemaVersion": 9, "kind": "prove"}');
    const other = join(fashion, 'mobilenet_v2_fashion.onnx');
    await document('other', 'analyze', other);
  });

  test.each([
    [['damaged'], 3, /\[bad-document\] .*damaged\.json: expected a document, but it is no JSON/],
    [['future'], 3, /\[document-version\] .*future\.json: expected schemaVersion 1, got 9/],
    [['nothing'], 2, /\[no-such-file\] .*nothing\.json/],
    [
      ['analyze', 'other'],
      2,
      /\[several-networks\] .*mobilenet_v2_fashion\.onnx.*--several-networks/,
    ],
  ])('%s', async (names, exit, message) => {
    const { code, out, err } = await report(...files(...names), '-o', at('refused.html'));
    expect({ code, out }).toEqual({ code: exit, out: '' });
    expect(err).toMatch(message);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(at('refused.html'))).toBe(false);
  });

  test.each([
    [['-o', 'x.html'], /\[missing-option\] .*needs --results or RESULTS as an argument/],
    [['FOLDER', '-o', 'x.html'], /\[no-such-file\] .*got a folder; give its \.json files/],
    [['GOLDEN', '-o', 'x.html'], /\[no-such-file\] .*got a folder; give .*manifest\.json/],
    [['PROVE', '-o', 'x.pdf'], /\[output-form\] x\.pdf: expected a name that ends in \.html/],
    [['PROVE', '-o', 'x.html', '--spec'], /\[missing-option\] --spec: .*add --plots DIR/],
  ])('%s', async (args, message) => {
    const paths = { FOLDER: at('folder'), GOLDEN: at('golden'), PROVE: at('prove.json') };
    const given = args.map((arg) => (arg in paths ? paths[arg as keyof typeof paths] : arg));
    const { code, err } = await report(...given);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test('two networks that are wanted get a chapter each', async () => {
    const args = [...files('analyze', 'other'), '-o', at('two.html'), '--several-networks'];
    const { networks } = await lastbitJson<ReportDocument>('report', ...args);
    expect(networks.map(({ name }) => name)).toEqual([
      'mobilenet_v1_fashion',
      'mobilenet_v2_fashion',
    ]);
    expect((await report(...files('analyze'), '-o', at('two.html'))).err).toMatch(
      /\[file-exists\]/,
    );
  });
});
