// SPDX-License-Identifier: Apache-2.0
// Reals and pixels that the engine turns into codes itself, against program/input.ts.
import { Engine } from '../../src/engine/engine.js';
import type { Codes } from '../../src/numeric/code-types.js';
import type { RunResult } from '../../src/program/executor.js';
import { pixelTable, quantizeInput } from '../../src/program/input.js';
import type { InputQuantization, Program, ProgramTensor } from '../../src/program/program.js';
import { seededBytes } from '../oracles/inputs.cjs';

const shape = { height: 7, width: 300, channels: 3 } as const; // more than one block of a row

/** A program that hands its input on, so that its output is the input's codes. */
function passing(given: Partial<ProgramTensor>, inputQuantization: InputQuantization): Program {
  const x = { name: 'x', dtype: 's8', ...shape, zeroPoint: 0, scale: 1, ...given } as const;
  const op = { op: 'reshape', name: 'y', inputs: [0], output: 1 } as const;
  const tensors = [x, { ...x, name: 'y' }];
  return {
    target: 't@1',
    metadata: {},
    tensors,
    input: 0,
    inputQuantization,
    outputs: [1],
    ops: [op],
  };
}

const forms = (['divide', 'multiplyInverse'] as const).flatMap((form) =>
  (['halfAway', 'halfEven'] as const).map((rule) => ({ form, rule })),
);
const types = [
  { dtype: 'u8', zeroPoint: 128, scale: 1 / 128 },
  { dtype: 'u8', zeroPoint: 0, scale: Math.fround(0.0235) },
  { dtype: 's8', zeroPoint: -1, scale: Math.fround(2 / 255) },
  { dtype: 's8', zeroPoint: 127, scale: 0.5 },
  { dtype: 's16', zeroPoint: 0, scale: Math.fround(1e-3) },
  { dtype: 's16', zeroPoint: -32768, scale: 2 ** -12 },
] as const;

/** Ties, neighbours of ties, values out of range, infinities and noise. */
function hardReals(scale: number, count: number): Float32Array {
  const noise = seededBytes(`reals ${scale}`, 4 * count);
  const special = [0, -0, Infinity, -Infinity, 3e38, -3e38, 1e-45, 32767.5 * scale, -9e4 * scale];
  return Float32Array.from({ length: count }, (_, i) => {
    const byte = noise[4 * i]!;
    const step = noise[4 * i + 1]! + 256 * (noise[4 * i + 2]! % 3) - 300;
    if (byte < 8) return special[byte % special.length]!;
    if (byte < 120) return (step + 0.5) * scale;
    if (byte < 180) return Math.fround((step + 0.5) * scale) * (1 + 2 ** -23);
    return (step + noise[4 * i + 3]! / 256) * scale;
  });
}

/** How many codes differ; expect on arrays of thousands takes seconds. */
function differing({ outputs }: RunResult, expected: Codes): number {
  const { data } = outputs[0]!;
  expect(data.constructor.name).toBe(expected.constructor.name);
  expect(data.length).toBe(expected.length);
  return Array.from(data).filter((code, i) => code !== expected[i]).length;
}

test('reals become the codes of quantizeInput, for every type and rule, on any threads', async () => {
  for (const type of types) {
    const count = shape.height * shape.width * shape.channels;
    const reals = hardReals(type.scale, count);
    for (const form of forms) {
      const program = passing(type, form);
      const expected = quantizeInput(program, reals);
      expect(new Set(expected).size).toBeGreaterThan(100);
      for (const threads of [1, 3]) {
        const engine = Engine.load(program, { threads });
        expect(differing(engine.runSync(reals), expected)).toBe(0);
        expect(differing(await engine.run(reals), expected)).toBe(0);
        const [, second] = await engine.runMany([expected, reals]);
        expect(differing(second!, expected)).toBe(0);
        engine.close();
      }
    }
  }
});

test('pixels become codes by their table', async () => {
  const program = passing(types[2], forms[0]!);
  const normalize = (pixel: number, channel: number): number => pixel / 127.5 - 1 + channel / 8;
  const table = pixelTable(program, normalize);
  const pixels = Uint8Array.from(
    seededBytes('pixels', shape.height * shape.width * shape.channels),
  );
  const expected = Int8Array.from(pixels, (p, i) => table[(i % 3) * 256 + p]!);
  const engine = Engine.load(program, { threads: 2 });
  expect(differing(engine.runSync({ pixels, table }), expected)).toBe(0);
  const run = engine.run({ pixels, table });
  pixels.fill(0); // the arrays may be used again at once
  table.fill(0);
  expect(differing(await run, expected)).toBe(0);
});

test('a NaN, other lengths and tables that hold no codes are errors', async () => {
  const program = passing({}, forms[0]!);
  const engine = Engine.load(program, { threads: 2 });
  const count = shape.height * shape.width * shape.channels;
  const reals = new Float32Array(count);
  for (const at of [0, 299, 4000, count - 1]) {
    const broken = Float32Array.from(reals);
    broken[at] = NaN;
    expect(() => engine.runSync(broken)).toThrow(/^\[not-a-number\] input "x": holds a NaN/);
    await expect(engine.run(broken)).rejects.toThrow(/holds a NaN/);
    await expect(engine.runMany([reals, broken])).rejects.toThrow(/holds a NaN/);
  }
  expect(engine.runSync(reals).outputs[0]!.data).toEqual(new Int8Array(count));
  expect(() => engine.runSync(new Float32Array(5))).toThrow(
    /^\[input-size\] input "x": expected 6300 values \(3 x 7 x 300, NCHW\), got 5/,
  );
  const pixels = new Uint8Array(count);
  expect(() => engine.runSync({ pixels, table: new Int32Array(256) })).toThrow(
    /^\[input-size\] input "x": expected 6300 pixels .* and a table of 768 codes, got 6300 and 256/,
  );
  expect(() => engine.runSync({ pixels, table: new Int32Array(768).fill(200) })).toThrow(
    /^\[pixel-table\] input "x": expected codes of s8 \(-128 to 127\), got 200/,
  );
});
