// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { commands } from '../../src/cli/commands/index.js';
import { optionsOf, readConfig, resolveOptions } from '../../src/cli/config.js';
import { version } from '../../src/engine/own-package.js';
import { lastbit, lastbitJson } from './captured.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-cli-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const put = (name: string, content: string): string => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};
const command = (name: string) => commands.find((one) => one.name === name)!;

describe('help and version', () => {
  test('go to standard output with exit 0', async () => {
    expect(await lastbit('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
    const help = await lastbit('--help');
    expect(help).toMatchObject({ code: 0, err: '' });
    for (const { name } of commands) expect(help.out).toContain(`  ${name} `);
    const own = await lastbit('quantize', '--help');
    expect(own.code).toBe(0);
    expect(own.out).toContain('--calib <dir>');
  });

  test('without a command: help on standard error, exit 2', async () => {
    const { code, out, err } = await lastbit();
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: lastbit');
  });
});

describe('mistakes on the command line', () => {
  test.each([
    [['quantise'], 'unknown-command', "'quantise'; (Did you mean quantize?)"],
    [['run', 'm.onnx', '--tap', 'all'], 'unknown-option', '--taps'],
    [['run', 'm.onnx', 'n.onnx'], 'excess-arguments', ''],
    [['run', 'm.onnx', '--format', 'json', '--target'], 'option-missing-argument', '--target'],
    [['inspect'], 'missing-option', '--model or MODEL as an argument'],
    [['inspect', 'a', '-m', 'b'], 'given-twice', 'model'],
    [['quantize', 'm.onnx'], 'missing-option', '--output'],
    [['run', 'm.onnx', '--threads', '0'], 'bad-value', '--threads: "0"'],
    [['run', 'm.onnx', '--limit', 'ten'], 'bad-value', '--limit: "ten"'],
    [['run', 'm.onnx', '--format', 'xml'], 'bad-value', '--format: "xml"'],
    [['run', 'm.onnx', '--geometry', 'zoom'], 'bad-value', '--geometry'],
    [['targets', 'tpu'], 'unknown-target', 'tflm'],
  ])('%j: one line on standard error, exit 2', async (args, code, part) => {
    const asJson = args.includes('json');
    if (!asJson) {
      const result = await lastbit(...args);
      expect(result).toMatchObject({ code: 2, out: '' });
      expect(result.err).toMatch(/^error \[[a-z-]+\] [^\n]+\n$/);
      expect(result.err).toContain(`[${code}]`);
      expect(result.err).toContain(part);
    }
    if (asJson || !args.includes('--format')) {
      const result = await lastbit(...args, ...(asJson ? [] : ['--format=json']));
      expect(result).toMatchObject({ code: 2, out: '' });
      expect(result.err).toMatch(/^[^\n]+\n$/);
      const error = JSON.parse(result.err) as Record<string, string>;
      expect(error).toMatchObject({ kind: 'error', code, exitCode: 2 });
      expect(`${error.where}: ${error.detail}`).toContain(part);
    }
  });

  test.each([
    [['targets', 'tfml'], 'did you mean "tflm"?'],
    [['targets', 'tflite_u8'], 'did you mean "tflite-u8"?'],
    [['schema', 'targets'], 'did you mean "target"?'],
    [['experiment', 'shen', '--data', 'd'], 'did you mean "sheng"?'],
    [['bench', 'net.onnx', '--vs', 'onnxruntme'], 'did you mean "onnxruntime"?'],
  ])('%j: a name that is nearly known is suggested', async (args, words) => {
    const { code, err } = await lastbit(...args);
    expect([code, err]).toEqual([2, expect.stringContaining(words)]);
  });

  test('a name that is like none is not', async () => {
    expect((await lastbit('targets', 'accelerator')).err).not.toContain('did you mean');
  });

  test('a bug in lastbit ends with exit 70 and no stack, unless -v', async () => {
    const targets = command('targets');
    const run = jest.spyOn(targets, 'run').mockRejectedValue(new TypeError('x is not\na function'));
    const { code, out, err } = await lastbit('targets');
    expect([code, out]).toEqual([70, '']);
    expect(err).toMatch(/^error \[internal\] lastbit: TypeError: x is not; a function; .*\n$/);
    expect((await lastbit('targets', '-v')).err).toContain('command-line.test');
    run.mockRestore();
  });
});

describe('examples of --help', () => {
  const examples = commands.flatMap((one) => one.examples.map((line) => [line, one] as const));

  test('every command has one', () => {
    expect(commands.filter(({ examples: own }) => own.length === 0)).toEqual([]);
  });

  test.each(examples)('%s: its options pass', async (line, one) => {
    const run = jest.spyOn(one, 'run').mockResolvedValue(0);
    const [program, ...args] = line.replace(/ > .*/, '').split(' ');
    expect([program, await lastbit(...args)]).toEqual(['lastbit', { code: 0, out: '', err: '' }]);
    expect(run).toHaveBeenCalledTimes(1);
    run.mockRestore();
    expect((await lastbit(one.name, '--help')).out).toContain(`\n  ${line}\n`);
  });
});

describe('config files', () => {
  const resolve = (name: string, config: unknown, given: Record<string, unknown> = {}) => {
    const file = put('lastbit.json', JSON.stringify(config));
    return resolveOptions(command(name), {
      ...readConfig(file, command(name), commands),
      ...given,
    });
  };

  test('sections go before the top level, and flags before both', () => {
    const config = {
      target: 'pow2',
      limit: 7,
      'label-offset': 1,
      evaluate: { target: 'tflm', labelOffset: 2 },
      run: { taps: ['a', 'b'] },
    };
    const model = 'm.onnx';
    expect(resolve('evaluate', config, { model })).toMatchObject({
      target: 'tflm',
      limit: 7,
      labelOffset: 2,
    });
    expect(resolve('run', config, { model, limit: '9' })).toMatchObject({
      target: 'pow2',
      limit: 9,
      taps: ['a', 'b'],
    });
    // Options of other commands may stand in a shared file.
    expect(resolve('targets', config)).toMatchObject({ target: 'pow2' });
  });

  test.each([
    ['an unknown key', { targte: 'tflm' }, 'unknown-key', '"targte"'],
    ['an unknown key in a section', { run: { calib: 'x' } }, 'unknown-key', '"calib"'],
    [
      'an unknown key in another section',
      { quantize: { x: 1 }, target: 'pow2' },
      'unknown-key',
      '"x"',
    ],
    ['a wrong type', { threads: true }, 'bad-value', '--threads: true'],
    ['a section that is none', { run: 3 }, 'bad-config', '"run"'],
    ['a list', [1], 'bad-config', 'JSON object'],
  ])('refuse %s', (_, config, code, part) => {
    const read = () => resolve('run', config, { model: 'm.onnx' });
    expect(read).toThrow(`[${code}]`);
    expect(read).toThrow(part);
  });

  test('that are not there or not JSON are refused', async () => {
    const missing = await lastbit('targets', '-c', join(folder, 'none.json'));
    expect(missing).toMatchObject({ code: 2, out: '' });
    const broken = await lastbit('targets', '-c', put('x.json', '{"target": '));
    expect(broken.err).toContain('[bad-config]');
  });

  test('every option has a long flag that is its name in kebab-case', () => {
    for (const one of commands) {
      for (const [name, { flags }] of Object.entries(optionsOf(one))) {
        const kebab = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        expect(flags).toMatch(new RegExp(`^(-\\w, )?--${kebab}( <\\w+>)?$`));
      }
    }
  });
});

test('targets: JSON with the full ids, evidence and constraints', async () => {
  const all = await lastbitJson<{
    schemaVersion: number;
    targets: { id: string; aliases: string[]; evidence: string; constraints: object }[];
    arithmetics: number;
  }>('targets');
  expect(all.schemaVersion).toBe(1);
  expect(all.targets.length).toBeGreaterThanOrEqual(3);
  for (const { id, evidence } of all.targets) {
    expect(id).toMatch(/^[a-z0-9-]+@[a-z0-9.-]+$/);
    expect(['verified', 'source', 'unverified']).toContain(evidence);
  }
  expect(all.arithmetics).toBeLessThanOrEqual(all.targets.length);
  const one = await lastbitJson<typeof all>('targets', 'tflm');
  expect(one.targets.map(({ aliases }) => aliases.includes('tflm'))).toEqual([true]);
  expect((await lastbit('targets', 'tflm')).out).toContain('arithmetic');
});
