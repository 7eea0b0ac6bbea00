// SPDX-License-Identifier: Apache-2.0
// What sums reach on images, against their definition.
import { join } from 'node:path';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { Engine } from '../../src/engine/engine.js';
import { meterSums } from '../../src/pipeline/reached-sums.js';
import type { Accumulator, ConvOp, Program } from '../../src/program/program.js';
import { lastbit, lastbitJson } from '../cli/captured.js';
import { randomCodes, randomProgram } from '../program/random-program.js';
import { sumsByHand } from '../program/sums-by-hand.js';

const narrow: readonly Partial<Accumulator>[] = [
  { bits: 16, overflow: 'saturate', when: 'each' },
  { bits: 16, overflow: 'saturateSymmetric', when: 'end' },
  { bits: 17, overflow: 'wrap', when: 'end' },
  { bits: 16, overflow: 'trap', when: 'end' },
  { bits: 32, overflow: 'wrap', when: 'end' },
];

function withAccumulator(program: Program, accumulator: Partial<Accumulator>): Program {
  const exactly = { products: 'exact', ...accumulator } as const;
  const ops = program.ops.map((op) =>
    op.op === 'conv' ? { ...op, accumulator: { ...op.accumulator, ...exactly } } : op,
  );
  return { ...program, ops };
}

test.each(narrow)('%j: extremes and changed sums of random convolutions', async (accumulator) => {
  let [measured, changing] = [0, 0];
  for (let seed = 1; seed <= 40; seed++) {
    const shape = { ops: ['conv'], length: 1, inputTypes: ['u8', 's8'] } as const;
    const program = withAccumulator(randomProgram(seed, shape), accumulator);
    const op = program.ops.find((one): one is ConvOp => one.op === 'conv')!;
    const codes = randomCodes(program, seed);
    const meter = meterSums(program, new Set([op.name]));
    const engine = Engine.load(meter.program);
    meter.add(await engine.run(codes, { taps: meter.taps }));
    engine.close();
    // Biases of 32 bits lead sums beyond 32, which no tensor holds.
    const reached = meter.result().get(op.name);
    if (reached === undefined) continue;
    measured++;

    const wide = { ...op.accumulator, bits: 64, overflow: 'wrap' as const };
    const exact = sumsByHand(program, { ...op, accumulator: wide }, codes, Infinity);
    const own = sumsByHand(program, op, codes, Infinity);
    const changed = exact.filter((sum, i) => sum !== own[i]).length;
    const [min, max] = [Math.min(...exact.map(Number)), Math.max(...exact.map(Number))];
    expect(reached).toMatchObject({ min, max, changedPercent: (100 * changed) / exact.length });
    expect(min).toBeGreaterThanOrEqual(-(2 ** (reached.bits - 1)));
    expect(max).toBeLessThan(2 ** (reached.bits - 1));
    if (changed > 0) changing++;
  }
  expect(measured).toBeGreaterThan(10);
  expect(changing > 0).toBe(accumulator.bits !== 32);
});

test('measuring changes no value of the network', async () => {
  let changing = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const shape = { ops: ['conv'], length: 4, inputTypes: ['s8'] } as const;
    const program = withAccumulator(randomProgram(seed, shape), narrow[0]!);
    const meter = meterSums(program, new Set(program.ops.map(({ name }) => name)));
    const codes = randomCodes(program, seed);
    const [plain, metered] = [Engine.load(program), Engine.load(meter.program)];
    const before = await plain.run(codes);
    const after = await metered.run(codes, { taps: meter.taps });
    expect(after.outputs).toEqual(before.outputs);
    meter.add(after);
    if ([...meter.result().values()].some(({ changedPercent }) => changedPercent > 0)) changing++;
    plain.close();
    metered.close();
  }
  expect(changing).toBeGreaterThan(0);
});

describe('on the command line', () => {
  const models = join(__dirname, '../../models/fashion');
  const float = join(models, 'mobilenet_v1_fashion.onnx');
  const images = ['--images', join(models, 'test-images.npy'), '--limit', '4'];
  let folder: string;
  let model: string;
  let target: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lastbit-sums-'));
    model = join(folder, 'q.onnx');
    target = join(folder, 'narrow.json');
    const accumulator = { bits: 16, overflow: 'saturate', when: 'each' };
    writeFileSync(
      target,
      JSON.stringify({ id: 'narrow@1', extends: 'tflm', arithmetic: { accumulator } }),
    );
    await lastbitJson('quantize', float, '-o', model, '--data-free', '--recipe', 'naive');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  interface Layer {
    readonly name: string;
    readonly op: string;
    readonly accMin: number;
    readonly accMax: number;
    readonly reached?: { min: number; max: number; bits: number; changedPercent: number };
    readonly accumulatorChangedPercent?: number;
  }
  const layersOf = (text: string) => (JSON.parse(text) as { layers: readonly Layer[] }).layers;

  test('prove: what images reach lies within what all could; compare says the same share', async () => {
    const args = [model, '--target', target, ...images];
    const proof = await lastbit('prove', ...args, '--format', 'json');
    expect(proof.code).toBe(1);
    const proven = layersOf(proof.out).filter(({ op }) => op === 'conv');
    for (const { reached, accMin, accMax } of proven) {
      expect(reached!.min).toBeGreaterThanOrEqual(accMin);
      expect(reached!.max).toBeLessThanOrEqual(accMax);
    }
    expect(proven[0]!.reached!.changedPercent).toBeGreaterThan(50);
    const compared = await lastbit('compare', float, ...args, '--format', 'json');
    const shares = new Map(
      layersOf(compared.out).map((layer) => [layer.name, layer.accumulatorChangedPercent]),
    );
    for (const { name, reached } of proven) expect(shares.get(name)).toBe(reached!.changedPercent);
    expect((await lastbit('prove', ...args)).out).toMatch(
      /on images +4 images: sums reach \d+ bits/,
    );
  });

  test('an accumulator that traps ends compare, as ever; prove says what it would trap at', async () => {
    const trapping = join(folder, 'trap.json');
    const accumulator = { bits: 16, overflow: 'trap', when: 'end' };
    const own = { id: 'trap@1', extends: 'tflm', arithmetic: { accumulator } };
    writeFileSync(trapping, JSON.stringify(own));
    const args = [model, '--target', trapping, ...images];
    const compared = await lastbit('compare', float, ...args, '--format', 'json');
    expect(compared.code).toBe(1);
    expect(JSON.parse(compared.out)).toMatchObject({ trap: { layer: 'stem/conv/Conv' } });
    const [stem] = layersOf((await lastbit('prove', ...args, '--format', 'json')).out);
    expect(stem!.reached!.changedPercent).toBeGreaterThan(50);
  });

  test('a wide accumulator: no column in compare, nothing changed in prove', async () => {
    const compared = await lastbit('compare', float, model, ...images);
    expect(compared.out).not.toContain('sums changed');
    const { out } = await lastbit('prove', model, ...images);
    expect(out).toContain('accumulators change sums in 0 of 28 convolutions');
  });
});
