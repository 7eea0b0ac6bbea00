// SPDX-License-Identifier: Apache-2.0
// Whatever a file is called and whatever names it holds: nothing that a terminal obeys is printed, and a
// line break in a name begins no line.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { commands } from '../../src/cli/commands/index.js';
import { writeNpy } from '../../src/data/index.js';
import { encodeModel } from '../../src/onnx/file/encode.js';
import type { OnnxModel } from '../../src/onnx/file/model.js';
import { f32, int, ints, model, node, randomTensor } from '../onnx/build.js';
import { lastbit } from './captured.js';

/** Clears the screen, sets a window's title, goes back, breaks the line, turns the direction, C1 CSI. */
const evil =
  'a\u001b[2Jb\u001b]0;t\u0007c\rd\nINJECTED e\u009b1mf\u202eg\u2066h\u200fi\u2028j\u007f';
// eslint-disable-next-line no-control-regex -- these are what is looked for
const obeyed = /[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

let folder: string;
let float: string;
let quant: string;
let image: string;

const at = (name: string) => join(folder, `${evil.replace('/', '')} ${name}`);

/** Conv, Relu, GlobalAveragePool, Flatten: every name evil. */
function evilModel(op = 'Relu'): OnnxModel {
  const built = model({
    input: [1, 3, 8, 8],
    output: [1, 4],
    nodes: [
      node('Conv', ['x', `w${evil}`, `b${evil}`], `c${evil}`, {
        kernel_shape: ints(3, 3),
        pads: ints(1, 1, 1, 1),
      }),
      node(op, [`c${evil}`], `r${evil}`),
      node('GlobalAveragePool', [`r${evil}`], `p${evil}`),
      node('Flatten', [`p${evil}`], 'y', { axis: int(1) }, `last${evil}`),
    ],
    weights: { [`w${evil}`]: randomTensor([4, 3, 3, 3], 1), [`b${evil}`]: f32([4], [1, 2, 3, 4]) },
  });
  return { ...built, producer: { name: evil, version: evil }, metadata: new Map([[evil, evil]]) };
}

beforeAll(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'lastbit-printer-')), evil);
  mkdirSync(folder);
  float = at('float.onnx');
  quant = at('quant.onnx');
  image = at('image.npy');
  writeFileSync(float, encodeModel(evilModel()));
  const data = Uint8Array.from({ length: 4 * 8 * 8 * 3 }, (_, i) => (i * 37) % 251);
  writeFileSync(image, writeNpy({ dtype: 'u8', shape: [4, 8, 8, 3], data }));
  writeFileSync(
    at('one.npy'),
    writeNpy({ dtype: 'u8', shape: [8, 8, 3], data: data.slice(192 * 3) }),
  );
  writeFileSync(
    at('labels.npy'),
    writeNpy({ dtype: 's64', shape: [4], data: new BigInt64Array(4) }),
  );
  writeFileSync(at('names.txt'), `${evil.replace('\n', '')}\n`.repeat(4));
  await checked('quantize', float, '-o', quant, '--calib', image, '--preprocess', 'unit');
});
afterAll(() => {
  rmSync(join(folder, '..'), { recursive: true });
});

/** Runs a command in both forms; its human output. */
async function checked(...args: (string | number)[]): Promise<string> {
  const again = args.includes('--overwrite') || !args.includes('-o') ? [] : ['--overwrite'];
  const json = await lastbit(...args, '--format', 'json');
  const human = await lastbit(...args, ...again);
  for (const { out, err, code } of [json, human]) {
    expect(code).not.toBe(70);
    expect(obeyed.exec(out)?.[0]).toBeUndefined();
    expect(obeyed.exec(err)?.[0]).toBeUndefined();
    expect(out + err).not.toMatch(/^INJECTED/m);
  }
  if (json.out !== '') expect(() => JSON.parse(json.out) as unknown).not.toThrow();
  return human.out + human.err;
}

const unit = ['--preprocess', 'unit'];
const cases: Record<string, () => (string | number)[][]> = {
  inspect: () => [[float], [quant]],
  analyze: () => [[float], [float, '--images', image, ...unit]],
  quantize: () => [[float, '-o', at('b.onnx'), '--calib', image, ...unit, '--recipe', 'naive']],
  convert: () => [[quant, '-o', at('c.lbp')]],
  run: () => [
    [quant, '--input', at('one.npy'), '--taps', 'all', '--names', at('names.txt')],
    [quant, '--input', at('one.npy'), '--taps', 'all', '--out', at('run'), '--overwrite'],
  ],
  compare: () => [[float, quant, '--images', image]],
  diff: () => [[quant, '--target', 'tflm,tflm-single', '--images', image]],
  'compare-dump': () => [[quant, '--dumps', at('run'), '--input', at('one.npy')]],
  evaluate: () => [[quant, '--float', float, '--images', image, '--labels', at('labels.npy')]],
  bench: () => [[quant, '--runs', 1, '--threads', 1]],
  prove: () => [[quant]],
  golden: () => [[quant, '--input', at('one.npy'), '-o', at('golden'), '--overwrite']],
  verify: () => [[at('golden')]],
  targets: () => [[], [evil]],
  // It reads the nets that come with it for hours; its own names are refused.
  experiment: () => [],
  // Its page escapes by itself (test/report/); here its result and its errors.
  report: () => [],
  schema: () => [[evil]],
  // Its own names are refused; models' come through a queue (test/queue/).
  worker: () => [['--queue', evil]],
  // Take no file.
  completion: () => [[evil]],
  doctor: () => [],
  demo: () => [],
};

test('every command is among the cases', () => {
  expect(Object.keys(cases).sort()).toEqual(commands.map(({ name }) => name).sort());
});

test.each(Object.keys(cases))('%s prints names escaped', async (name) => {
  const printed: string[] = [];
  for (const args of cases[name]!()) printed.push(await checked(name, ...args));
  // They ran: what is printed is more than an error.
  if (!['targets', 'schema', 'worker', 'completion'].includes(name))
    expect(printed.join()).not.toMatch(/^error/m);
  if (!['bench', 'verify', 'demo', 'experiment', 'report', 'worker', 'doctor'].includes(name))
    expect(printed.join()).toContain('\\u001b[2J');
});

test('so do errors, wherever the name stands', async () => {
  writeFileSync(at('odd.onnx'), encodeModel(evilModel(evil)));
  writeFileSync(at('text.onnx'), evil);
  writeFileSync(at('config.json'), JSON.stringify({ [evil]: evil }));
  writeFileSync(at('broken.json'), `{"${evil}`);
  writeFileSync(at('labels.csv'), `file,label\n${evil},${evil}\n`);
  const attempts = [
    ['inspect', at('none.onnx')],
    ['inspect', at('text.onnx')],
    ['quantize', at('odd.onnx'), '-o', at('d.onnx'), '--data-free'],
    ['run', at('odd.onnx'), '--input', at('one.npy')],
    ['run', quant, '--input', at('none.png')],
    ['run', quant, '--input', at('labels.csv')],
    ['run', quant, '--input', at('one.npy'), '--taps', evil],
    ['run', quant, '-c', at('config.json')],
    ['run', quant, '-c', at('broken.json')],
    ['run', quant, '--preprocess', evil],
    ['evaluate', quant, '--images', folder, '--labels', at('labels.csv')],
    ['evaluate', quant, '--images', evil, '--labels', evil],
    ['verify', evil],
    [evil],
    ['run', `--${evil}`],
    ['run', quant, `--format`, evil],
    ['convert', quant, '-o', join(quant, evil)],
  ];
  for (const args of attempts) {
    const printed = await checked(...args, '-v');
    expect(printed).toContain('\\u001b[2J');
  }
});

test('what is escaped in JSON parses to the same text', async () => {
  const { out } = await lastbit('inspect', float, '--format', 'json');
  expect(Object.keys((JSON.parse(out) as { metadata: object }).metadata)).toEqual([evil]);
});

describe('standard output that cannot be written', () => {
  const script = join(__dirname, 'from-source.cjs');
  const run = (stdio: ('pipe' | 'ignore' | number)[], ...args: string[]) =>
    spawnSync(process.execPath, [script, ...args], { stdio, encoding: 'utf8' });

  const full = readdirSync('/dev').includes('full') ? test : test.skip;
  full('a full disk: one line, exit 2', () => {
    for (const format of ['human', 'json']) {
      const { status, stderr } = run(
        ['ignore', openSync('/dev/full', 'w'), 'pipe'],
        'targets',
        '--format',
        format,
      );
      expect(stderr).toMatch(/^error \[cannot-write\] standard output: ENOSPC[^\n]*\n$/);
      expect(status).toBe(2);
    }
  });

  full('both streams full: the exit code alone', () => {
    const sink = openSync('/dev/full', 'w');
    expect(run(['ignore', sink, sink], 'targets').status).toBe(2);
    expect(run(['ignore', sink, sink], 'targets', 'tpu').status).toBe(2);
    expect(run(['ignore', 'pipe', sink], 'inspect', join(folder, 'none')).status).toBe(3);
  });

  test('closed streams are no error', () => {
    const closed = spawnSync('sh', ['-c', `"${process.execPath}" "${script}" targets >&- 2>&-`]);
    expect(closed.status).toBe(0);
  });
});
