// SPDX-License-Identifier: Apache-2.0
// Rows that fill no whole vector, one channel, and all pairs of summands: where optimized kernels
// round in more than one way (test/oracles: tail_models.py, add_goldens.py). By hash.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import type { QuantConv } from '../../src/graph/quant-graph.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import type { TargetSpec } from '../../src/targets/target.js';
import { importTflite } from '../../src/tflite/import.js';
import { seededBytes } from '../oracles/inputs.cjs';
import { codesOf, HashedCases, runtimeTargets } from './hashed-cases.js';

const tails = new HashedCases('tails');
const builtin = findTarget('tflite-builtin');

test.each(Object.keys(runtimeTargets))('rows of 1 to 27 codes: %s', (runtime) => {
  expect(tails.wrong(runtime, findTarget(runtimeTargets[runtime]!))).toEqual([]);
  expect(tails.ranIn(runtime).length).toBeGreaterThan(runtime === 'tflm' ? 150 : 300);
});

const { arithmetic } = builtin;
const changed = (change: Partial<TargetSpec['arithmetic']>): TargetSpec => ({
  ...builtin,
  arithmetic: { ...arithmetic, ...change },
});
const ruy = { kind: 'q31', rule: 'ruyx86' } as const;

test.each([
  [
    'depthwise-s8',
    changed({ kinds: { ...arithmetic.kinds, depthwise: { code: ruy, rest: undefined } } }),
  ],
  ['mean-s8-[eft]', changed({ globalPool: { kind: 'rawMean', rule: 'ruyx86' } })],
  ['mean-u8-row', changed({ globalPool: { kind: 'rawMean', rule: 'ruyx86' } })],
  [
    'quantize',
    changed({ unary: { ...arithmetic.unary, requantize: { kind: 'code', code: ruy } } }),
  ],
])('without a rule of its own for the rest, %s differs', (op, target) => {
  expect(tails.wrong('litert-builtin', target, new RegExp(`^${op}`)).length).toBeGreaterThan(5);
});

test('a depthwise convolution of one channel is one', () => {
  const name = 'depthwise-u8-dyadic-1';
  const { runtimes, agreed } = tails.cases[name]!;
  const graph = importTflite(tails.model(name), name);
  const [conv] = graph.nodes as [QuantConv];
  const { oneChannelDepthwise, ...convolution } = conv;
  expect(oneChannelDepthwise).toBe(true);
  const plain = lower({ ...graph, nodes: [convolution] }, builtin).ops[0]!;
  expect(lower(graph, builtin).ops[0]).not.toEqual(plain);
  expect({ ...agreed, ...runtimes['litert-builtin'] }.y).toBeDefined();
});

interface Sums {
  readonly cases: readonly {
    readonly name: string;
    readonly dtype: 's8' | 'u8';
    readonly columns: number;
    readonly model: string;
    readonly sums: Readonly<Record<string, string | null>>;
  }[];
}

const sums = JSON.parse(
  readFileSync(join(__dirname, '../golden/hardware/add.json'), 'utf8'),
) as Sums;

/** SHA-256 of the sums of all pairs of codes, in images as the file has them. */
function hashOfSums(file: Uint8Array, size: number, target: TargetSpec): string {
  const program = lower(importTflite(file, 'sum'), target);
  const signed = program.tensors[program.input]!.dtype === 's8' ? 0x80 : 0;
  const pairs = Uint8Array.from({ length: 2 * 65536 }, (_, i) =>
    i % 2 === 0 ? ((i / 2) >> 8) ^ signed : ((i >> 1) & 255) ^ signed,
  );
  const engine = Engine.load(program);
  const hash = createHash('sha256');
  for (let at = 0; at + 2 * size <= pairs.length; at += 2 * size) {
    const codes = codesOf(program, pairs.subarray(at, at + 2 * size));
    const { data } = engine.runSync(codes).outputs[0]!;
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  engine.close();
  return hash.digest('hex');
}

describe('ADD of all pairs of codes', () => {
  const images = (columns: number): number => (columns === 7 ? 7 : 65536);

  test.each(sums.cases)('$name', ({ model, columns, sums: expected }) => {
    const file = Buffer.from(model, 'base64');
    for (const [runtime, hash] of Object.entries(expected)) {
      if (hash === null) continue;
      expect(hashOfSums(file, images(columns), findTarget(runtimeTargets[runtime]!))).toBe(hash);
    }
  });

  const add = { kind: 'rescaled', leftShift: 20, rule: 'gemmlowp2' } as const;
  const cause = (name: string) => sums.cases.find((one) => one.name === name)!;

  test.each([
    ['thirds-s8-256', { ...add }],
    ['thirds-u8-256', { ...add, folded: true }],
    ['thirds-s8-7', { ...add, folded: true }],
    ['thirds-u8-7', { ...add, flooredU8: true }],
  ] as const)('another rule is told apart: %s', (name, rule) => {
    const { model, columns, sums: expected } = cause(name);
    const hash = hashOfSums(
      Buffer.from(model, 'base64'),
      images(columns),
      changed({ add: { ...rule } }),
    );
    expect(hash).not.toBe(expected['litert-builtin']);
  });
});

test('the interpreter splices alike', () => {
  const name = 'depthwise-s8-near-12';
  const program = lower(importTflite(tails.model(name), name), builtin);
  expect(program.ops.map(({ op }) => op)).toEqual(['conv', 'conv', 'splice']);
  const { height, width, channels } = program.tensors[program.input]!;
  const codes = codesOf(program, seededBytes('interpreter', height * width * channels));
  const engine = Engine.load(program);
  expect(interpret(program, codes).outputs[0]!.data).toEqual(
    engine.runSync(codes).outputs[0]!.data,
  );
  engine.close();
});
