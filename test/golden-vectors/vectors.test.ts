// SPDX-License-Identifier: Apache-2.0
// Arrays of random programs: what they say of a layer is enough to compute it again.
import { registersOf, withSums, imageArrays } from '../../src/golden/index.js';
import { Engine } from '../../src/engine/engine.js';
import { interpret } from '../../src/program/interpret.js';
import { encode } from '../../src/program/encode.js';
import { decode } from '../../src/program/decode.js';
import type { ConvOp } from '../../src/program/program.js';
import { randomCodes, randomProgram } from '../program/random-program.js';
import { sumsByHand } from '../program/sums-by-hand.js';

test('accumulators and partial sums of any accumulator, engine against definition', () => {
  let compared = 0;
  for (let seed = 1; seed <= 120; seed++) {
    const program = randomProgram(seed, { ops: ['conv'], length: 1, inputTypes: ['u8', 's8'] });
    const op = program.ops.find((one): one is ConvOp => one.op === 'conv')!;
    const { accumulator } = op;
    if (accumulator.bits > 32 || accumulator.overflow === 'trap') continue;
    if (accumulator.products !== 'exact') continue;
    const length = op.weights.length / op.bias.length;
    const step = Math.max(1, Math.floor(length / 3));
    const summing = withSums(program, [{ layer: op.name, step }]);
    const codes = randomCodes(program, seed);
    const engine = Engine.load(summing.program);
    const input = program.tensors[program.input]!;
    const { taps } = engine.runSync(codes, { taps: 'all' });
    engine.close();
    const x = taps.get(program.tensors[op.inputs[0]!]!.name)?.data ?? codes;
    const all = new Map([...taps, [input.name, { ...input, data: codes }]]);
    const arrays = imageArrays(program, op, all, summing.taps);
    const whole = arrays.find(({ role }) => role === 'accumulators')!;
    expect(Array.from(whole.data, BigInt)).toEqual(sumsByHand(program, op, x, length));
    const partial = arrays.find(({ role }) => role === 'partial-sums');
    expect(partial === undefined).toBe(step >= length);
    if (partial === undefined) continue;
    const [steps] = partial.shape;
    for (let k = 0; k < steps!; k++) {
      const own = partial.data.slice(k * whole.data.length, (k + 1) * whole.data.length);
      const count = k + 1 === steps ? length : (k + 1) * step;
      expect(Array.from(own, BigInt)).toEqual(sumsByHand(program, op, x, count));
      compared += own.length;
    }
  }
  expect(compared).toBeGreaterThan(5000);
});

test('registers hold every array of every operation, and attributes the rest', () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    const program = decode(encode(randomProgram(seed)));
    for (const op of program.ops) {
      const { arrays, attributes } = registersOf(op);
      seen.add(op.op);
      expect(arrays.map(({ data }) => data)).toEqual(arraysIn(op));
      expect(arraysIn(attributes)).toEqual([]);
      expect(new Set(arrays.map(({ name }) => name)).size).toBe(arrays.length);
      for (const { shape, axes, data } of arrays) {
        expect(shape.reduce((a, b) => a * b, 1)).toBe(data.length);
        expect(axes).toHaveLength(shape.length);
      }
      expect(JSON.parse(JSON.stringify(attributes))).toMatchObject({ op: op.op });
    }
  }
  expect(seen.size).toBe(12);
});

/** All typed arrays below a value, in the order of its fields. */
function arraysIn(value: unknown): unknown[] {
  if (ArrayBuffer.isView(value)) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(arraysIn);
}

test('inputs and outputs are the interpreter’s', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const program = randomProgram(seed);
    const codes = randomCodes(program, seed);
    const { taps, trap } = interpret(program, codes, { taps: 'all' });
    if (trap !== undefined) continue;
    const input = program.tensors[program.input]!;
    const all = new Map([...taps, [input.name, { ...input, data: codes }]]);
    for (const op of program.ops) {
      const arrays = imageArrays(program, op, all, new Map());
      expect(arrays.map(({ tensor }) => tensor)).toEqual(
        [...op.inputs, op.output].map((index) => program.tensors[index]!.name),
      );
      expect(arrays.at(-1)!.data).toEqual(all.get(program.tensors[op.output]!.name)!.data);
    }
  }
});
