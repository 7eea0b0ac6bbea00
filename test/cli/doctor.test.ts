// SPDX-License-Identifier: Apache-2.0
import { statfsSync } from 'node:fs';
import { runCli } from '../../src/cli/run-cli.js';
import type { DoctorDocument } from '../../src/index.js';

/** What `doctor` prints in this process. */
async function doctor(...args: string[]): Promise<{ code: number; out: string }> {
  let out = '';
  const code = await runCli(['doctor', ...args], {
    interactive: false,
    out: (text) => (out += text),
    err: () => undefined,
  });
  return { code, out };
}

const documentOf = async (): Promise<DoctorDocument> =>
  JSON.parse((await doctor('--format', 'json')).out) as DoctorDocument;

const isa = process.env.LASTBIT_ISA;
afterEach(() => {
  if (isa === undefined) delete process.env.LASTBIT_ISA;
  else process.env.LASTBIT_ISA = isa;
});

test('where all is well', async () => {
  const { code, out } = await doctor();
  expect(code).toBe(0);
  expect(out).toContain('lastbit can work here');
  const { ok, engine, platform, checks } = await documentOf();
  expect(ok).toBe(true);
  expect(platform).toContain(`${process.platform}-${process.arch}`);
  expect(engine!.tiers).toContain(engine!.best);
  expect(checks.map(({ name }) => name)).toEqual([
    'Node',
    'native engine',
    'LASTBIT_ISA',
    'onnxruntime-node',
    'sharp',
    'embedded networks',
    'temporary folder',
    'working folder',
  ]);
  const { bavail, bsize } = statfsSync(process.cwd());
  const free = Number(/, (\d+) MiB free$/.exec(checks.at(-1)!.found)![1]);
  expect(Math.abs(free - (bavail * bsize) / 2 ** 20)).toBeLessThan(1024);
});

test('an instruction set that is none is a check that failed', async () => {
  process.env.LASTBIT_ISA = 'avx3';
  const { code, out } = await doctor();
  expect(code).toBe(1);
  expect(out).toMatch(/^LASTBIT_ISA: expected one of ref, .*, got "avx3"$/m);
  expect(out).toContain('lastbit cannot work here yet');
});

test('without an engine and without onnxruntime it says how to get them', async () => {
  process.env.LASTBIT_ENGINE = '/no/such.node';
  jest.resetModules(); // packages and engines are loaded once
  jest.doMock('onnxruntime-node', () => {
    throw new Error("Cannot find module 'onnxruntime-node'");
  });
  try {
    const fresh = (await import('../../src/index.js')).examineInstallation();
    expect(fresh.ok).toBe(false);
    expect(fresh.engine).toBeNull();
    const advice = new Map(fresh.checks.map(({ name, wayOut }) => [name, wayOut]));
    expect(advice.get('native engine')).toBe('there is no file "/no/such.node"');
    expect(advice.get('onnxruntime-node')).toMatch(
      /^for float models: .*: npm install onnxruntime-node$/,
    );
  } finally {
    delete process.env.LASTBIT_ENGINE;
    jest.dontMock('onnxruntime-node');
  }
});
