// SPDX-License-Identifier: Apache-2.0
// TFLite's 16x8 (test/oracles: wide_cases): operators whose scales are powers of two or barely miss
// one, and two networks. Every activation of 20 images, by hash. QUANTIZE also between 16 and 8 bits.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import type { QuantGraph, QuantValue } from '../../src/graph/quant-graph.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import type { Program } from '../../src/program/program.js';
import { activationDType, activationScheme } from '../../src/quantize/codes/scales.js';
import { findTarget } from '../../src/targets/index.js';
import type { TargetSpec, WideLayers } from '../../src/targets/target.js';
import { importTflite } from '../../src/tflite/import.js';
import { seededBytes } from '../oracles/inputs.cjs';

type Hashes = Readonly<Record<string, string>>;

interface Case {
  readonly offset: number;
  readonly length: number;
  readonly images: number;
  /** By tensor; where runtimes differ, by runtime first. */
  readonly agreed: Hashes;
  readonly runtimes: Readonly<Record<string, Hashes>>;
}

const folder = join(__dirname, '../golden/wide');
const models = readFileSync(join(folder, 'models.bin'));
const { cases } = JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8')) as {
  readonly cases: Readonly<Record<string, Case>>;
};
const names = Object.keys(cases);

const targets: Readonly<Record<string, string>> = {
  'litert-ref': 'tflite-ref',
  'litert-builtin': 'tflite-builtin',
  tflm: 'tflm',
};

function load(name: string) {
  const { offset, length } = cases[name]!;
  return importTflite(models.subarray(offset, offset + length), name);
}

function inputsOf(name: string, program: Program): readonly (Int8Array | Int16Array)[] {
  const { height, width, channels, dtype } = program.tensors[program.input]!;
  const [Codes, bytesEach] = dtype === 's16' ? [Int16Array, 2] : [Int8Array, 1];
  return Array.from({ length: cases[name]!.images }, (_, i) => {
    const bytes = seededBytes(`${name}/image${i}`, bytesEach * height * width * channels);
    return new Codes(Uint8Array.from(bytes).buffer);
  });
}

/** Tensors whose codes over all images are not the runtime's. */
function wrongTensors(name: string, runtime: string, target: TargetSpec): string[] {
  const { agreed, runtimes } = cases[name]!;
  const expected = new Map(Object.entries({ ...agreed, ...runtimes[runtime] }));
  const program = lower(load(name), target);
  const engine = Engine.load(program);
  const hashes = new Map([...expected.keys()].map((key) => [key, createHash('sha256')]));
  const compared = new Set<string>();
  for (const codes of inputsOf(name, program)) {
    for (const [key, { data }] of engine.runSync(codes, { taps: 'all' }).taps) {
      hashes.get(key)?.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      if (hashes.has(key)) compared.add(key);
    }
  }
  engine.close();
  // A flattened image has no tensor.
  expect(compared.size).toBeGreaterThanOrEqual(expected.size - 1);
  expect(compared.size).toBeGreaterThan(0);
  return [...compared].filter((key) => hashes.get(key)!.digest('hex') !== expected.get(key));
}

describe.each(Object.keys(targets))('16x8 under %s', (runtime) => {
  const target = findTarget(targets[runtime]!);

  test.each(names)('%s', (name) => {
    expect(wrongTensors(name, runtime, target)).toEqual([]);
  });
});

describe('16x8: another rule is told apart', () => {
  const tflm = findTarget('tflm');
  const changed = (s16: Partial<WideLayers>): TargetSpec => ({
    ...tflm,
    arithmetic: { ...tflm.arithmetic, s16: { ...tflm.arithmetic.s16!, ...s16 } },
  });
  const reduced = { kind: 'q31', reduced: true } as const;
  const others: readonly (readonly [string, RegExp, Partial<WideLayers>])[] = [
    ['half away', /^(conv|depthwise|fully)/, { code: { ...reduced, rule: 'halfAway' } }],
    ['half even', /^(conv|depthwise|fully)/, { code: { ...reduced, rule: 'halfEven' } }],
    ['31 bits', /^(conv|depthwise|fully)/, { code: { kind: 'q31', rule: 'halfUp' } }],
    ['a shift of 14', /^add/, { add: { kind: 'rescaled', leftShift: 14, rule: 'gemmlowp2' } }],
    ['one rounding', /^add/, { add: { kind: 'rescaled', leftShift: 15, rule: 'halfUp' } }],
    ['float32 scales', /^mul/, { kinds: { mul: { ...tflm.arithmetic, product: 'f32' } } }],
    ['half up', /^mean/, { globalPool: { kind: 'mean', rule: 'halfUp' } }],
    ['floor', /^softmax/, { softmax: { rule: 'floor', tables: 'f32' } }],
    ['tables of doubles', /^softmax/, { softmax: { rule: 'gemmlowp2', tables: 'f64' } }],
    [
      'half up',
      /^quantize/,
      { requantize: { kind: 'code', code: { kind: 'q31', rule: 'halfUp' } } },
    ],
    [
      "ruy's rounding",
      /^quantize/,
      { requantize: { kind: 'code', code: { kind: 'q31', rule: 'ruyx86' } } },
    ],
  ];

  test.each(others)('%s in %s', (_, pattern, rule) => {
    const own = names.filter((name) => pattern.test(name));
    const wrong = own.filter((name) => wrongTensors(name, 'tflm', changed(rule)).length > 0);
    expect(wrong.length).toBeGreaterThan(0);
  });
});

test('16x8: zero points, and 16-bit codes among 8-bit ones, are refused', () => {
  const graph = load('conv-s16-random');
  const changed = (change: Partial<QuantValue>): QuantGraph => {
    const output = graph.nodes.at(-1)!.output;
    const values = new Map(graph.values).set(output, { ...graph.values.get(output)!, ...change });
    return { ...graph, values };
  };
  const refused = (change: Partial<QuantValue>) => () => lower(changed(change), findTarget('tflm'));
  expect(refused({})).not.toThrow();
  expect(refused({ zeroPoint: 3 })).toThrow(/target-constraint.*zero point, which must be 0/);
  expect(refused({ dtype: 's8', bits: 8 })).toThrow(/target-constraint.*mixes s16 with 8-bit/);
});

test('16x8 is what the quantizer takes only where asked: 8 bits come first', () => {
  for (const target of Object.values(targets)) {
    const scheme = activationScheme(findTarget(target).constraints);
    expect(activationDType({ min: -1, max: 6 }, scheme)).toBe('s8');
  }
});

test.each([
  'wide-pool',
  'softmax-s16-257',
  'quantize-s16-s8-near',
  'quantize-s8-s16-random',
  'quantize-s16-coarser',
])('16x8: the interpreter computes the same: %s', (name) => {
  const program = lower(load(name), findTarget('tflm'));
  const [codes] = inputsOf(name, program);
  const engine = Engine.load(program);
  expect(interpret(program, codes!).outputs[0]!.data).toEqual(
    engine.runSync(codes!).outputs[0]!.data,
  );
  engine.close();
});
