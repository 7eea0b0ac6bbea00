// SPDX-License-Identifier: Apache-2.0
// Bounds against runs: nothing leaves them, and counterexamples reach them.
import { join } from 'node:path';

import { Engine } from '../../src/engine/engine.js';
import { quantizeInMemory } from '../../src/pipeline/index.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { type Codes, codeLimits } from '../../src/numeric/code-types.js';
import { allocate, interpret } from '../../src/program/interpret.js';
import type { Accumulator, ConvOp, Program, ProgramTensor } from '../../src/program/program.js';
import { bitsFor, codeIntervals, prove, sumBounds, type Interval } from '../../src/prove/index.js';
import { extremeOf } from '../../src/prove/conv-bounds.js';
import { randomCodes, randomProgram } from '../program/random-program.js';

const seeds = Array.from({ length: 60 }, (_, i) => i + 1);

test.each([
  [0, 0, 1],
  [-1, 0, 1],
  [0, 1, 2],
  [-2, 1, 2],
  [-129, 0, 9],
  [-128, 127, 8],
  [0, 128, 9],
  [-(2 ** 31), 2 ** 31 - 1, 32],
  [0, 2 ** 31, 33],
])('%i to %i needs %i bits', (min, max, bits) => {
  expect(bitsFor({ min, max })).toBe(bits);
});

test('no code of any tensor leaves its interval', () => {
  let reached = 0;
  for (const seed of seeds) {
    const program = randomProgram(seed);
    const intervals = codeIntervals(program);
    for (const round of [1, 2, 3]) {
      const { taps } = interpret(program, randomCodes(program, 100 * seed + round), {
        taps: 'all',
      });
      for (const { name, data } of taps.values()) {
        const index = program.tensors.findIndex((tensor) => tensor.name === name);
        const { lo, hi } = intervals[index]!;
        data.forEach((code, i) => {
          const c = i % program.tensors[index]!.channels;
          if (code < lo[c]! || code > hi[c]!) throw new Error(`seed ${seed}, ${name}: ${code}`);
          if (code === lo[c] || code === hi[c]) reached++;
        });
      }
    }
  }
  expect(reached).toBeGreaterThan(3000);
});

/** The convolution alone, on an image as large as its kernel. */
function alone(op: ConvOp, input: ProgramTensor, accumulator: Partial<Accumulator>): Program {
  const side = (axis: 0 | 1): number => (op.kernel[axis] - 1) * op.dilations[axis] + 1;
  const channels = op.bias.length;
  const output: ProgramTensor = {
    ...{ name: 'sums', dtype: 's32', height: 1, width: 1, channels, zeroPoint: 0, scale: 1 },
  };
  const [lo, hi] = codeLimits('s32');
  const conv: ConvOp = {
    ...op,
    ...{ inputs: [0], output: 1, strides: [1, 1], pads: [0, 0, 0, 0] },
    accumulator: {
      bits: 64,
      overflow: 'wrap',
      when: 'end',
      products: 'exact',
      biasFirst: true,
      ...accumulator,
    },
    requant: { kind: 'none' },
    clamp: { lo: Int32Array.of(lo), hi: Int32Array.of(hi) },
  };
  return {
    target: 'alone@1',
    metadata: {},
    tensors: [{ ...input, height: side(0), width: side(1) }, output],
    input: 0,
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    outputs: [1],
    ops: [conv],
  };
}

/** An image that shows one channel's codes to the kernel, in the places that it reads. */
function imageOf(program: Program, channel: number, codes: readonly number[]): Codes {
  const [input] = program.tensors;
  const op = program.ops[0] as ConvOp;
  const perGroup = input!.channels / op.groups;
  const first = Math.floor(channel / (op.bias.length / op.groups)) * perGroup;
  const image = allocate(input!).fill(input!.zeroPoint);
  codes.forEach((code, term) => {
    const position = Math.floor(term / perGroup);
    const y = Math.floor(position / op.kernel[1]) * op.dilations[0];
    const x = (position % op.kernel[1]) * op.dilations[1];
    image[(y * input!.width + x) * input!.channels + first + (term % perGroup)] = code;
  });
  return image;
}

/** Convolutions of random programs with exact products, and what their inputs can hold. */
function* convolutions(): Generator<{ op: ConvOp; input: ProgramTensor; codes: Interval }> {
  for (const seed of seeds) {
    const program = randomProgram(seed, { ops: ['conv'] });
    const intervals = codeIntervals(program);
    for (const op of program.ops) {
      if (op.op !== 'conv' || op.accumulator.products !== 'exact') continue;
      const index = op.inputs[0]!;
      const input = program.tensors[index]!;
      if (input.dtype !== 's32') yield { op, input, codes: intervals[index]! };
    }
  }
}

test('bounds are reached by the codes that a counterexample names, and by no others exceeded', () => {
  let checked = 0;
  for (const { op, input, codes } of convolutions()) {
    const ends: ConvOp = {
      ...op,
      accumulator: { ...op.accumulator, when: 'end' },
      pads: [0, 0, 0, 0],
    };
    for (const channel of [0, op.bias.length - 1]) {
      const { min, max } = sumBounds(ends, input, codes, channel);
      for (const side of ['least', 'greatest'] as const) {
        const extreme = extremeOf(ends, input, codes, channel, side);
        expect(extreme.value).toBe(side === 'least' ? min : max);
        if (Math.abs(extreme.value) >= 2 ** 31) continue;
        const program = alone(op, input, {});
        const image = imageOf(program, channel, extreme.codes);
        const { outputs } = interpret(program, image);
        expect(outputs[0]!.data[channel]).toBe(extreme.value);
        checked++;
      }
    }
  }
  expect(checked).toBeGreaterThan(200);
});

test('an accumulator of the bits needed never traps, one bit less does', () => {
  let traps = 0;
  for (const { op, input, codes } of convolutions()) {
    const channels = [...op.bias.keys()];
    const plain: ConvOp = {
      ...op,
      accumulator: { ...op.accumulator, when: 'end' },
      pads: [0, 0, 0, 0],
    };
    const bounds = channels.map((c) => sumBounds(plain, input, codes, c));
    const [min, max] = [
      Math.min(...bounds.map((b) => b.min)),
      Math.max(...bounds.map((b) => b.max)),
    ];
    const bits = Math.max(16, bitsFor({ min, max }));
    const side = max >= -min ? 'greatest' : 'least';
    const channel = bounds.findIndex((b) => (side === 'greatest' ? b.max === max : b.min === min));
    const extreme = extremeOf(plain, input, codes, channel, side);
    const enough = alone(op, input, { bits, overflow: 'trap' });
    const image = imageOf(enough, channel, extreme.codes);
    expect(interpret(enough, image).trap).toBeUndefined();
    if (bits === 16 || bits > 32) continue;
    const narrow = alone(op, input, { bits: bits - 1, overflow: 'trap' });
    expect(interpret(narrow, image).trap).toBeDefined();
    traps++;
  }
  expect(traps).toBeGreaterThan(10);
});

test('sums that overflow on the way: shown where the order of the program makes them', () => {
  // 3 x 100 x 127 = 38100 leaves 16 bits; a bias of -20000 brings the last sum back.
  const input: ProgramTensor = {
    ...{ name: 'x', dtype: 's8', height: 1, width: 1, channels: 3, zeroPoint: 0, scale: 1 },
  };
  const program = (biasFirst: boolean): Program =>
    alone(
      {
        ...{ op: 'conv', name: 'sum', inputs: [0], output: 1, kernel: [1, 1], strides: [1, 1] },
        ...{ dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1, weightType: 's8' },
        weights: Int8Array.of(100, 100, 100),
        weightZeroPoints: Int32Array.of(0),
        bias: Int32Array.of(-20000),
        accumulator: { bits: 16, overflow: 'trap', when: 'each', products: 'exact', biasFirst },
        requant: { kind: 'none' },
        clamp: { lo: Int32Array.of(0), hi: Int32Array.of(0) },
      },
      input,
      { bits: 16, overflow: 'trap', when: 'each', biasFirst },
    );
  const last = prove(program(false)).layers[0]!;
  // The least is -38400, then less the bias.
  expect(last).toMatchObject({ ok: false, accMin: -58400, accMax: 38100 });
  for (const biasFirst of [false, true]) {
    const { counterexample } = prove(program(biasFirst)).layers[0]!;
    const run = interpret(program(biasFirst), Int8Array.from(counterexample!.codes));
    expect(run.trap).toBeDefined();
  }
  // With the bias first nothing is ever above 18100.
  expect(prove(program(true)).layers[0]).toMatchObject({ accMin: -58400, accMax: 18100 });
});

test('the engine computes the same bounds for itself, from whole types and for partial sums', () => {
  let layers = 0;
  for (const seed of seeds) {
    const program = randomProgram(seed, { ops: ['conv'] });
    const engine = Engine.load(program);
    program.ops.forEach((op, i) => {
      if (op.op !== 'conv') return;
      const input = program.tensors[op.inputs[0]!]!;
      const [lo, hi] = codeLimits(input.dtype).map((code) =>
        new Int32Array(input.channels).fill(code),
      );
      const each: ConvOp = {
        ...op,
        accumulator: { ...op.accumulator, when: 'each', biasFirst: false },
      };
      const bounds = [...op.bias.keys()].map((c) =>
        sumBounds(each, input, { lo: lo!, hi: hi! }, c),
      );
      const { accumulatorMin, accumulatorMax } = engine.layers[i]!;
      expect(BigInt(Math.min(...bounds.map(({ min }) => min)))).toBe(accumulatorMin);
      expect(BigInt(Math.max(...bounds.map(({ max }) => max)))).toBe(accumulatorMax);
      layers++;
    });
    engine.close();
  }
  expect(layers).toBeGreaterThan(100);
});

const fashion = join(__dirname, '../../models/fashion');

test('the embedded network fits 32 bits under its targets, and says how few it needs', async () => {
  const { quantGraph } = await quantizeInMemory({
    model: join(fashion, 'mobilenet_v1_fashion.onnx'),
    ...{ dataFree: true, target: 'tflm', recipe: 'naive' },
  });
  for (const target of ['tflm', 'onnxruntime', 'xnnpack']) {
    const certificate = prove(lower(quantGraph, findTarget(target)));
    expect(certificate.ok).toBe(true);
    const convolutions = certificate.layers.filter(({ op }) => op === 'conv');
    expect(convolutions.length).toBeGreaterThan(10);
    for (const { bitsNeeded, bitsHave } of convolutions) {
      expect(bitsHave).toBe(32);
      expect(bitsNeeded).toBeGreaterThan(10);
      expect(bitsNeeded).toBeLessThan(26);
    }
  }
});

test('saturating pairs count: weights of -128 and 127 at codes of 255', () => {
  const input: ProgramTensor = {
    ...{ name: 'x', dtype: 'u8', height: 1, width: 1, channels: 2, zeroPoint: 0, scale: 1 },
  };
  const program = (weight: number): Program => {
    return alone(
      {
        ...{ op: 'conv', name: 'pair', inputs: [0], output: 1, kernel: [1, 1], strides: [1, 1] },
        ...{ dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1, weightType: 's8' },
        weights: Int8Array.of(weight, weight),
        weightZeroPoints: Int32Array.of(0),
        bias: Int32Array.of(0),
        accumulator: {
          bits: 32,
          overflow: 'wrap',
          when: 'end',
          products: 'exact',
          biasFirst: true,
        },
        requant: { kind: 'none' },
        clamp: { lo: Int32Array.of(0), hi: Int32Array.of(0) },
      },
      input,
      { bits: 32, products: 'satPairs16' },
    );
  };
  // 2 x 64 x 255 = 32640 fits 16 bits, 2 x 65 x 255 does not.
  expect(prove(program(64))).toMatchObject({
    ok: true,
    layers: [{ pairs: { max: 32640, ok: true } }],
  });
  expect(prove(program(65))).toMatchObject({
    ok: false,
    layers: [{ pairs: { max: 33150, ok: false } }],
  });
  const exact = interpret(program(65), Uint8Array.of(255, 255)).outputs[0]!.data[0];
  expect(exact).toBe(32767);
});
