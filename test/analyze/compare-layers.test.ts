// SPDX-License-Identifier: Apache-2.0
import { errorOf, movedChannels, openComparison } from '../../src/analyze/index.js';
import { isolate } from '../../src/analyze/isolate.js';
import { interpret } from '../../src/program/interpret.js';
import type { AddOp, ConcatOp, ConvOp, Program, ProgramTensor } from '../../src/program/program.js';

const tensor = (
  name: string,
  channels: number,
  scale: number,
  zeroPoint: number,
): ProgramTensor => ({
  name,
  dtype: 's8',
  height: 2,
  width: 2,
  channels,
  scale,
  zeroPoint,
});

const full = { lo: Int32Array.of(-128), hi: Int32Array.of(127) };

/** Codes times 2 / 4, channel by channel: real = code / 8 stays real. */
const depthwise = (name: string, input: number, output: number, channels: number): ConvOp => ({
  op: 'conv',
  name,
  inputs: [input],
  output,
  kernel: [1, 1],
  strides: [1, 1],
  dilations: [1, 1],
  pads: [0, 0, 0, 0],
  groups: channels,
  weightType: 's8',
  weights: new Int8Array(channels).fill(2),
  weightZeroPoints: Int32Array.of(0),
  bias: new Int32Array(channels),
  accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: true },
  requant: { kind: 'shift', shift: Int8Array.of(2), rule: 'halfUp' },
  clamp: full,
});

const add: AddOp = {
  op: 'add',
  name: 'sum',
  inputs: [0, 1],
  output: 2,
  form: { kind: 'aligned', multiplierA: 1, multiplierB: 2, shift: 0, rule: 'halfUp' },
  clamp: full,
};
const concat: ConcatOp = { op: 'concat', name: 'both', inputs: [1, 2], output: 3 };

const program: Program = {
  target: 'test@1',
  metadata: {},
  tensors: [
    tensor('x', 3, 0.25, 3),
    tensor('half', 3, 0.5, -7),
    tensor('sum', 3, 0.25, -7),
    tensor('both', 6, 0.25, -7),
  ],
  input: 0,
  inputQuantization: { form: 'divide', rule: 'halfAway' },
  outputs: [3],
  ops: [depthwise('half', 0, 1, 3), add, concat],
};

const codes = Int8Array.from({ length: 12 }, (_, i) => i * 9 - 50);
const open = (one: Program) =>
  Promise.resolve({
    run: (input: Parameters<typeof interpret>[1]) => Promise.resolve(interpret(one, input)),
    close: () => undefined,
  });

describe('isolate', () => {
  test('an operation alone gives what it gives in its place', () => {
    const whole = interpret(program, codes, { taps: 'all' });
    const at = (index: number) =>
      index === 0 ? codes : whole.taps.get(program.tensors[index]!.name)!.data;
    for (const op of program.ops) {
      const part = isolate(program, op)!;
      const alone = interpret(part.program, part.join(op.inputs.map(at)));
      expect(alone.outputs[0]!.data).toEqual(at(op.output));
    }
  });

  test('inputs of different types or sizes cannot be joined', () => {
    const tensors = program.tensors.map((one, i) => (i === 1 ? { ...one, width: 1 } : one));
    expect(isolate({ ...program, tensors }, add)).toBeUndefined();
  });
});

describe('openComparison', () => {
  const reals = (name: string): Float32Array => {
    const run = interpret(program, codes, { taps: 'all' });
    const source = name === 'x' ? { ...program.tensors[0]!, data: codes } : run.taps.get(name)!;
    const area = 4;
    return Float32Array.from({ length: source.data.length }, (_, i) => {
      const code = source.data[(i % area) * source.channels + Math.floor(i / area)]!;
      return source.scale * (code - source.zeroPoint);
    });
  };
  const compare = async (float: Map<string, Float32Array>, factors?: Map<string, number[]>) => {
    const comparer = await openComparison({
      program,
      floatValues: new Set(float.keys()),
      open,
      ...(factors ? { factors } : {}),
    });
    await comparer.add(float, interpret(program, codes, { taps: 'all' }).taps);
    comparer.close();
    return { layers: comparer.result(), needs: comparer.needs };
  };

  test('no error where float equals the integers, alone and accumulated', async () => {
    const float = new Map(['x', 'half', 'sum'].map((name) => [name, reals(name)]));
    const { layers, needs } = await compare(float);
    expect([...needs].sort()).toEqual(['half', 'sum', 'x']);
    expect(layers.map(({ name, kind }) => [name, kind])).toEqual([
      ['half', 'depthwise'],
      ['sum', 'add'],
    ]);
    for (const layer of layers) {
      expect(layer).toMatchObject({
        sqnrDb: Infinity,
        sqnrIsolatedDb: Infinity,
        maxAbsError: 0,
        saturatedPercent: 0,
      });
    }
  });

  test('an error shows in the layer where it is, and not alone behind it', async () => {
    const float = new Map(['x', 'half', 'sum'].map((name) => [name, reals(name)]));
    const off = reals('half').map((value) => value + 0.5);
    const { layers } = await compare(new Map(float).set('half', off));
    expect(layers[0]!.sqnrDb).toBeCloseTo(errorOf(off, reals('half')).sqnrDb, 6);
    expect(layers[0]!.maxAbsError).toBe(0.5);
    // The sum in float does not know of it: accumulated it is exact, alone it reads the other value.
    expect(layers[1]!.sqnrDb).toBe(Infinity);
    expect(layers[1]!.sqnrIsolatedDb).toBeLessThan(30);
  });

  test('factors of rescaled channels are divided out', async () => {
    const factors = new Map([['half', [1, 4, 0.5]]]);
    const original = reals('half').map(
      (value, i) => value / factors.get('half')![Math.floor(i / 4)]!,
    );
    const float = new Map([
      ['x', reals('x')],
      ['half', original],
    ]);
    const { layers } = await compare(float, factors);
    expect(layers[0]).toMatchObject({ sqnrDb: Infinity, sqnrIsolatedDb: Infinity });
    expect((await compare(float)).layers[0]!.sqnrDb).toBeLessThan(20);
  });
});

test('a file holds the factors of values that have another than 1', () => {
  const factors = new Map([
    ['a', [1, 2.5]],
    ['b', [1, 1]],
  ]);
  expect([...movedChannels(factors)]).toEqual([['a', Float32Array.of(1, 2.5)]]);
});
