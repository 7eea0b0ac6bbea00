// SPDX-License-Identifier: Apache-2.0
import { Worker } from 'node:worker_threads';
import { availableIsas, Engine } from '../../src/engine/engine.js';
import { findEngine } from '../../src/engine/find-engine.js';
import { isaNames, native } from '../../src/engine/native.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { encode } from '../../src/program/encode.js';
import { interpret } from '../../src/program/interpret.js';
import type { Program } from '../../src/program/program.js';
import { randomCodes, randomProgram } from '../program/random-program.js';

/** A program of random operations that writes something and does not trap. */
function sample(seed: number): { program: Program; codes: Codes } {
  const program = randomProgram(seed, { plainAccumulators: true, inputTypes: ['u8'] });
  return { program, codes: randomCodes(program, seed) };
}

test('the names of instruction sets are those of the addon', () => {
  expect(isaNames).toEqual(native().allTiers);
});

describe('load', () => {
  test('takes a program or its bytes, wherever they start', () => {
    const { program, codes } = sample(1);
    const bytes = encode(program);
    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    const expected = interpret(program, codes).outputs[0]!.data;
    for (const source of [program, bytes, Buffer.from(bytes), shifted]) {
      const engine = Engine.load(source);
      expect(engine.runSync(codes).outputs[0]!.data).toEqual(expected);
    }
  });

  test('does not need the bytes afterwards', () => {
    const { program, codes } = sample(2);
    const bytes = encode(program);
    const engine = Engine.load(bytes);
    bytes.fill(0xaa);
    expect(engine.runSync(codes).outputs[0]!.data).toEqual(
      interpret(program, codes).outputs[0]!.data,
    );
  });

  test('refuses damaged bytes, in one line with code and way out', () => {
    const bytes = encode(sample(3).program);
    const flipped = Uint8Array.from(bytes);
    flipped[bytes.length - 1]! ^= 1;
    const refused: [Uint8Array, RegExp][] = [
      [flipped, /^\[invalid-program\] program: its CRC does not match; make it again$/],
      [bytes.subarray(0, 40), /^\[invalid-program\] byte 8: the header says .* make it again$/],
      [new Uint8Array(0), /^\[invalid-program\] byte 0: .*make it again$/],
      [
        new TextEncoder().encode('not a program at all'),
        /^\[invalid-program\] byte 0: expected the bytes LBP1/,
      ],
    ];
    for (const [damaged, message] of refused) {
      expect(() => Engine.load(damaged)).toThrow(message);
    }
  });

  test('refuses options that do not exist', () => {
    const { program } = sample(4);
    for (const threads of [0, -1, 1.5, 257, NaN]) {
      expect(() => Engine.load(program, { threads })).toThrow(
        /^\[threads\] threads: expected 1 to 256/,
      );
    }
    expect(() => Engine.load(program, { isa: 'avx1024' as 'avx2' })).toThrow(
      /^\[unknown-isa\] isa: expected one of ref, sse41, .* got "avx1024"$/,
    );
    const missing = availableIsas().includes('neon') ? 'avx2' : 'neon';
    expect(() => Engine.load(program, { isa: missing })).toThrow(
      /^\[missing-isa\] isa: this CPU has/,
    );
  });

  test('LASTBIT_ISA forces a tier, and an unknown one is an error', () => {
    const { program } = sample(5);
    const before = process.env.LASTBIT_ISA;
    try {
      process.env.LASTBIT_ISA = 'ref';
      expect(Engine.load(program).isa).toBe('ref');
      process.env.LASTBIT_ISA = 'sse9';
      expect(() => Engine.load(program)).toThrow(/^\[unknown-isa\] LASTBIT_ISA: /);
    } finally {
      if (before === undefined) delete process.env.LASTBIT_ISA;
      else process.env.LASTBIT_ISA = before;
    }
  });

  test('tells what it runs', () => {
    const { program } = sample(6);
    const engine = Engine.load(program, { reference: true });
    expect(engine.target).toBe(program.target);
    expect(engine.layers.map(({ name, op }) => [name, op])).toEqual(
      program.ops.map(({ name, op }) => [name, op]),
    );
    for (const { kernel } of engine.layers) expect(kernel).toMatch(/_ref$/);
    const { name, dtype, height, width, channels, scale, zeroPoint } =
      program.tensors[program.input]!;
    expect(engine.input).toEqual({ name, dtype, height, width, channels, scale, zeroPoint });
  });
});

describe('run', () => {
  test('off the thread, several at once, and runMany give what runSync gives', async () => {
    const { program } = sample(7);
    const engine = Engine.load(program, { threads: 2 });
    const images = Array.from({ length: 9 }, (_, seed) => randomCodes(program, seed));
    const expected = images.map((codes) => engine.runSync(codes, { taps: 'all' }));
    const runs = await Promise.all(images.map((codes) => engine.run(codes, { taps: 'all' })));
    expect(runs).toEqual(expected);
    expect(await engine.runMany(images, { taps: 'all' })).toEqual(expected);
    expect(await engine.runMany([])).toEqual([]);
    engine.close();
  });

  test('may change its input as soon as run returned', async () => {
    const { program, codes } = sample(8);
    const engine = Engine.load(program);
    const expected = engine.runSync(codes).outputs[0]!.data;
    const copy = codes.slice();
    const run = engine.run(copy);
    copy.fill(1);
    expect((await run).outputs[0]!.data).toEqual(expected);
  });

  test('fills arrays that the caller owns', async () => {
    const { program, codes } = sample(9);
    const engine = Engine.load(program);
    const expected = engine.runSync(codes).outputs.map(({ data }) => data);
    const own = expected.map((data) => data.slice().fill(0));
    expect(engine.runSync(codes, { outputs: own }).outputs[0]!.data).toBe(own[0]);
    expect(own).toEqual(expected);
    own.forEach((data) => data.fill(0));
    await engine.run(codes, { outputs: own });
    expect(own).toEqual(expected);
    expect(() => engine.runSync(codes, { outputs: [] })).toThrow(/^\[output-arrays\]/);
    expect(() =>
      engine.runSync(codes, { outputs: own.map(() => new Float32Array(1) as never) }),
    ).toThrow(/^\[output-codes\]/);
  });

  test('refuses codes of another type or length', async () => {
    const { program, codes } = sample(10);
    const engine = Engine.load(program);
    expect(() => engine.runSync(Int8Array.from(codes))).toThrow(
      /^\[input-codes\] input "t0": expected/,
    );
    expect(() => engine.runSync(codes.subarray(1))).toThrow(/^\[input-codes\]/);
    await expect(engine.run(codes.subarray(1))).rejects.toThrow(/^\[input-codes\]/);
  });

  test('refuses unknown taps and names some that exist', () => {
    const { program, codes } = sample(11);
    expect(() => Engine.load(program).runSync(codes, { taps: ['nowhere'] })).toThrow(
      /^\[unknown-tap\] tap "nowhere": expected the name of an operation or a tensor, such as /,
    );
  });

  test('taps by operation and by tensor, each once, in program order', () => {
    const { program, codes } = sample(12);
    const engine = Engine.load(program);
    const op = program.ops.at(-1)!;
    const output = program.tensors[op.output]!.name;
    const input = program.tensors[program.input]!.name;
    const { taps } = engine.runSync(codes, { taps: [op.name, output, input] });
    expect([...taps.keys()]).toEqual([input, output]);
    expect(taps.get(input)!.data).toEqual(codes);
  });

  test('a closed engine says so; closing twice and during a run is fine', async () => {
    const { program, codes } = sample(13);
    const engine = Engine.load(program);
    const expected = engine.runSync(codes).outputs[0]!.data;
    const run = engine.run(codes);
    engine.close();
    engine.close();
    expect((await run).outputs[0]!.data).toEqual(expected);
    expect(() => engine.runSync(codes)).toThrow(/^\[closed-engine\]/);
  });

  test('times every layer', () => {
    const { program, codes } = sample(14);
    const engine = Engine.load(program);
    const times = engine.timeLayers(codes);
    expect(times).toHaveLength(program.ops.length);
    expect(times.every((ns) => ns > 0)).toBe(true);
  });
});

test('a worker may be terminated while its runs are in flight', async () => {
  const { program, codes } = sample(15);
  const addon = findEngine().path;
  const script = `
    const { workerData, parentPort } = require('node:worker_threads');
    const { Engine } = require(workerData.addon);
    const engine = new Engine(workerData.bytes, 2, '', true);
    const { tensors, outputs } = engine.info();
    const { height, width, channels, type } = tensors[outputs[0]];
    const types = [Uint8Array, Int8Array, Int16Array, Int32Array];
    function again() {
      engine.run(workerData.codes, [outputs[0]], [new types[type](height * width * channels)]).then(again);
    }
    for (let i = 0; i < 8; ++i) again();
    parentPort.postMessage('running');`;
  for (let round = 0; round < 3; ++round) {
    const worker = new Worker(script, {
      eval: true,
      workerData: { addon, bytes: encode(program), codes },
    });
    await new Promise((resolve) => worker.once('message', resolve));
    expect(await worker.terminate()).toBe(1);
  }
});
