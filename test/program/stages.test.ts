// SPDX-License-Identifier: Apache-2.0
// Requantization in stages, by other float roundings, and of weighted sums: values by hand.
import { ModelError } from '../../src/errors.js';
import type { CodeType } from '../../src/numeric/code-types.js';
import { type FloatRule, type RoundRule, roundRules } from '../../src/numeric/round.js';
import { checkProgram } from '../../src/program/check.js';
import { decode } from '../../src/program/decode.js';
import { encode } from '../../src/program/encode.js';
import { interpret } from '../../src/program/interpret.js';
import { requantizer } from '../../src/program/interpret/finish.js';
import type {
  AddForm,
  AverageForm,
  Op,
  Program,
  Requant,
  Stage,
} from '../../src/program/program.js';

const i64 = (...values: (bigint | number)[]): BigInt64Array =>
  BigInt64Array.from(values.map((v) => BigInt(v)));

const staged = (...stages: Stage[]): Requant => ({ kind: 'stages', stages });

/** Each value through the stages, as channel `c`. */
function through(stages: readonly Stage[], values: readonly (number | bigint)[], c = 0): number[] {
  const requantize = requantizer({ kind: 'stages', stages });
  return values.map((v) => requantize(v, c));
}

describe('each stage on exact integers', () => {
  test('add and multiply, per channel, beyond 2^53', () => {
    const add: Stage = { kind: 'add', value: i64(2n ** 60n, -1) };
    const less: Stage = { kind: 'add', value: i64(-(2n ** 60n), 0) };
    expect(through([add, less], [1, -1])).toEqual([1, -1]); // a number would lose the 1
    expect(through([add, less], [5], 1)).toEqual([4]);
    const multiply: Stage = { kind: 'multiply', factor: Int32Array.of(-3, 2 ** 31 - 1) };
    expect(through([multiply], [7, -7])).toEqual([-21, 21]);
    const exact: Stage = { kind: 'add', value: i64(-((2n ** 31n - 1n) ** 2n)) };
    expect(through([multiply, exact], [2 ** 31 - 1], 1)).toEqual([0]);
  });

  test.each<[RoundRule, number[]]>([
    ['floor', [-2, -1, 0, 1]],
    ['ceil', [-1, 0, 1, 2]],
    ['trunc0', [-1, 0, 0, 1]],
    ['halfUp', [-1, 0, 1, 2]],
    ['halfDown', [-2, -1, 0, 1]],
    ['halfAway', [-2, -1, 1, 2]],
    ['halfToZero', [-1, 0, 0, 1]],
    ['halfEven', [-2, 0, 0, 2]],
    ['halfOdd', [-1, -1, 1, 1]],
  ])('shift rounds ties: %s', (rule, expected) => {
    expect(through([{ kind: 'shift', shift: Int8Array.of(1), rule }], [-3, -1, 1, 3])).toEqual(
      expected.map((v) => v + 0),
    );
    // The same ties 2^60 further out, where only exact integers keep them.
    const far: Stage[] = [
      { kind: 'shift', shift: Int8Array.of(-60), rule },
      { kind: 'shift', shift: Int8Array.of(61), rule },
    ];
    expect(through(far, [-3, -1, 1, 3])).toEqual(expected);
  });

  test('saturate is asymmetric, clamp per channel', () => {
    const saturate: Stage = { kind: 'saturate', bits: 8 };
    expect(through([saturate], [127, 128, -128, -129, 2n ** 61n])).toEqual([
      127, 127, -128, -128, 127,
    ]);
    expect(through([{ kind: 'saturate', bits: 2 }], [5, -5])).toEqual([1, -2]);
    const clamp: Stage = { kind: 'clamp', lo: i64(-3, -(2n ** 62n)), hi: i64(4, 0) };
    expect(through([clamp], [-4, -3, 4, 5])).toEqual([-3, -3, 4, 4]);
    expect(through([clamp], [-(2 ** 40), 1], 1)).toEqual([-(2 ** 40), 0]);
  });

  test('segments: the first also holds below its start, starts belong to their segment', () => {
    const segments: Stage = {
      kind: 'segments',
      start: i64(-10, 0, 100),
      multiplier: Int32Array.of(1, 3, -1),
      shift: Uint8Array.of(2, 1, 0),
      offset: i64(5, 0, 150),
      rule: 'halfUp',
    };
    // below: (v + 10) / 4 + 5, ties up; then 3 v / 2; then 150 - (v - 100)
    const values = [-12, -11, -10, -8, -1, 0, 1, 99, 100, 130];
    expect(through([segments], values)).toEqual([
      5, // -2 / 4 = -0.5 -> 0
      5, // -1 / 4 = -0.25 -> 0
      5,
      6, // 2 / 4 = 0.5 -> 1
      7, // 9 / 4 = 2.25
      0,
      2, // 1.5 -> 2
      149, // 148.5 -> 149
      150,
      120,
    ]);
    expect(through([{ ...segments, rule: 'halfEven' }], [-8, 1, 99])).toEqual([5, 2, 148]);
  });

  test('thresholds count those reached, or exceeded; equal ones count together', () => {
    const thresholds: Stage = {
      kind: 'thresholds',
      count: 4,
      values: i64(-5, 0, 0, 7, 1, 2, 3, 2n ** 62n),
      strict: false,
    };
    const values = [-6, -5, -1, 0, 6, 7, 100];
    expect(through([thresholds], values)).toEqual([0, 1, 1, 3, 3, 4, 4]);
    expect(through([{ ...thresholds, strict: true }], values)).toEqual([0, 0, 1, 1, 3, 3, 4]);
    expect(through([thresholds], [0, 1, 2, 1000], 1)).toEqual([0, 1, 2, 3]);
    const shared: Stage = { ...thresholds, count: 1, values: i64(3) };
    expect(through([shared], [2, 3], 5)).toEqual([0, 1]);
  });

  test('stages follow one another, each rounding by itself', () => {
    const half = (rule: RoundRule): Stage => ({ kind: 'shift', shift: Int8Array.of(1), rule });
    // 5 / 4 = 1.25: once 1, but twice halfUp 5 -> 3 -> 2
    expect(through([half('halfUp'), half('halfUp')], [5])).toEqual([2]);
    expect(through([half('floor'), half('halfUp')], [5])).toEqual([1]);
    const far: Stage = { kind: 'saturate', bits: 4 };
    expect(through([{ kind: 'multiply', factor: Int32Array.of(3) }, far], [2, 3])).toEqual([6, 7]);
    expect(through([far, { kind: 'multiply', factor: Int32Array.of(3) }], [2, 9])).toEqual([6, 21]);
  });
});

describe('float32 rules', () => {
  const by = (rule: FloatRule, scale = 1): ((a: number) => number) => {
    const requantize = requantizer({ kind: 'f32Rule', scale: Float32Array.of(scale), rule });
    return (a) => requantize(a, 0) + 0;
  };

  test.each<[FloatRule, number[]]>([
    ['halfEven', [-4, -2, -2, 0, 0, 2, 2, 4]],
    ['halfAway', [-4, -3, -2, -1, 1, 2, 3, 4]],
    ['halfUp', [-3, -2, -1, 0, 1, 2, 3, 4]],
    ['addHalfFloor', [-3, -2, -1, 0, 1, 2, 3, 4]],
  ])('%s at ties', (rule, expected) => {
    expect([-7, -5, -3, -1, 1, 3, 5, 7].map(by(rule, 0.5))).toEqual(expected);
    expect([-7, -5, 5, 7].map(by(rule, 0.25))).toEqual([-2, -1, 1, 2]);
  });

  test('adding 0.5 in float32 rounds up the greatest value below a half', () => {
    const below = (2 ** 24 - 1) * 2 ** -25; // 0.49999997: a sum of 24 bits is no float32
    const [plain, sum] = [by('halfUp', 2 ** -25), by('addHalfFloor', 2 ** -25)];
    expect(below).toBeLessThan(0.5);
    expect([plain(2 ** 24 - 1), sum(2 ** 24 - 1)]).toEqual([0, 1]);
    // 2^23 + 1 is odd: + 0.5 ties to the even neighbour, 2^23 + 2; the real floor stays
    expect([by('halfUp')(2 ** 23 + 1), by('addHalfFloor')(2 ** 23 + 1)]).toEqual([
      2 ** 23 + 1,
      2 ** 23 + 2,
    ]);
    expect([by('halfUp')(-(2 ** 23 + 1)), by('addHalfFloor')(-(2 ** 23 + 1))]).toEqual([
      -(2 ** 23 + 1),
      -(2 ** 23),
    ]);
  });

  test('tiny and infinite products', () => {
    for (const rule of ['halfEven', 'halfAway', 'halfUp', 'addHalfFloor'] as const) {
      expect([1, -1].map(by(rule, 2 ** -140))).toEqual([0, 0]);
      expect([2 ** 20, -(2 ** 20)].map(by(rule, 2 ** 127))).toEqual([Infinity, -Infinity]);
    }
  });
});

/** One operation on two codes of one pixel, or on a window of a row. */
function programOf(op: Op, inputs: number, width: number, dtype: CodeType = 's8'): Program {
  const tensor = (name: string, w: number): Program['tensors'][number] => ({
    name,
    dtype,
    height: 1,
    width: w,
    channels: 1,
    zeroPoint: name === 'x' ? 3 : -5,
    scale: 1,
  });
  const program: Program = {
    target: 'test@1',
    metadata: {},
    tensors: [tensor('x', width), tensor('y', op.op === 'add' ? width : 1)],
    input: 0,
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    outputs: [1],
    ops: [{ ...op, inputs: new Array<number>(inputs).fill(0), output: 1 }],
  };
  checkProgram(program);
  return decode(encode(program));
}

const s8Clamp = { lo: Int32Array.of(-128), hi: Int32Array.of(127) };
const addOf = (form: AddForm): Op => ({
  op: 'add',
  name: 'add',
  inputs: [],
  output: 1,
  form,
  clamp: s8Clamp,
});
const poolOf = (form: AverageForm, width: number, pads: number): Op => ({
  op: 'averagePool',
  name: 'pool',
  inputs: [],
  output: 1,
  kernel: [1, width + pads],
  strides: [1, 1],
  pads: [0, pads, 0, 0],
  form,
  clamp: s8Clamp,
});

describe('forms of operations', () => {
  test('add: a weighted sum, requantized', () => {
    const form: AddForm = {
      kind: 'requant',
      multiplierA: 3,
      multiplierB: 2,
      requant: staged(
        { kind: 'shift', shift: Int8Array.of(1), rule: 'trunc0' },
        { kind: 'saturate', bits: 6 },
      ),
    };
    // 5 (x - 3): 5, -5, 10, 485 -> 2, -2, 5, 31, and the zero point -5 behind the saturation
    const run = interpret(programOf(addOf(form), 2, 4), Int8Array.of(4, 2, 5, 100));
    expect(Array.from(run.outputs[0]!.data)).toEqual([-3, -7, 0, 26]);
  });

  test('averagePool in float32: padding is no member of the mean', () => {
    const form: AverageForm = { kind: 'f32Window', scaleIn: 0.5, scaleOut: 0.25 };
    // x - 3 = (1, 2, 4): 3.5 / 3 / 0.25 = 4.67 -> 5, or with the zero point -0.33 -> 0
    const run = interpret(programOf(poolOf(form, 3, 2), 1, 3), Int8Array.of(4, 5, 7));
    expect(Array.from(run.outputs[0]!.data)).toEqual([0]);
    // (1, 2): 1.5 / 2 / 0.25 = 3, -5 + 3; a tie: (1, 4): 2.5 / 2 / 0.5 = 2.5 -> -2.5 -> -2
    const tie = programOf(poolOf({ ...form, scaleOut: 0.5 }, 2, 0), 1, 2);
    expect(Array.from(interpret(tie, Int8Array.of(4, 7)).outputs[0]!.data)).toEqual([-2]);
  });

  test('averagePool in float32: each sum is rounded, in row order', () => {
    const f32 = Math.fround;
    const [scaleIn, scaleOut] = [f32(0.1), f32(0.1 / 1024)];
    // 30000, 1, -30000 tenths: 24 bits hold less of the 1 where it comes second than at the end.
    const orders = [Int16Array.of(30003, 4, -29997), Int16Array.of(30003, -29997, 4)];
    const byHand = orders.map((codes) => {
      let sum = 0;
      for (const q of codes) sum = f32(sum + f32((q - 3) * scaleIn));
      return Math.round(f32(f32(f32(sum / 3) / scaleOut) - 5));
    });
    expect(byHand[0]).not.toBe(byHand[1]);
    const clamp = { lo: Int32Array.of(-32768), hi: Int32Array.of(32767) };
    const op = { ...poolOf({ kind: 'f32Window', scaleIn, scaleOut }, 3, 0), clamp } as Op;
    const program = programOf(op, 1, 3, 's16');
    expect(orders.map((codes) => interpret(program, codes).outputs[0]!.data[0])).toEqual(byHand);
  });
});

describe('what a loader checks of them', () => {
  const three: Stage = { kind: 'multiply', factor: Int32Array.of(3) };
  const add = (requant: Requant, multiplierA = 1): Program =>
    programOf(addOf({ kind: 'requant', multiplierA, multiplierB: 1, requant }), 2, 4);
  const one = (stage: Stage) => (): Program => add(staged(stage));
  const limit = 2n ** 62n;
  const segments: Extract<Stage, { kind: 'segments' }> = {
    kind: 'segments',
    start: i64(0, 10),
    multiplier: Int32Array.of(1, 1),
    shift: Uint8Array.of(0, 0),
    offset: i64(0, 0),
    rule: 'floor',
  };
  const sixtyFive = {
    start: BigInt64Array.from({ length: 65 }, (_, i) => BigInt(i)),
    multiplier: new Int32Array(65),
    shift: new Uint8Array(65),
    offset: new BigInt64Array(65),
  };

  test.each<[string, () => Program, RegExp]>([
    ['no stages', () => add(staged()), /the number of stages in \[1, 16\], got 0/],
    ['17 stages', () => add(staged(...new Array<Stage>(17).fill(three))), /got 17/],
    ['entries of addends', one({ kind: 'add', value: i64(1, 2) }), /1 or 1 entries of stage add/],
    ['no addend', one({ kind: 'add', value: i64() }), /entries of stage addends, got 0/],
    ['an addend', one({ kind: 'add', value: i64(limit + 1n) }), /addend in \[-2\^62, 2\^62\]/],
    ['entries of factors', one({ kind: 'multiply', factor: new Int32Array(3) }), /stage factors/],
    ['a shift', one({ kind: 'shift', shift: Int8Array.of(63), rule: 'floor' }), /got 63/],
    ['a left shift', one({ kind: 'shift', shift: Int8Array.of(-32), rule: 'floor' }), /got -32/],
    ['bits', one({ kind: 'saturate', bits: 63 }), /saturation bits in \[2, 62\], got 63/],
    ['a bit', one({ kind: 'saturate', bits: 1 }), /got 1/],
    ['a clamp', one({ kind: 'clamp', lo: i64(1), hi: i64(0) }), /lo <= hi, got 1 > 0/],
    ['a bound', one({ kind: 'clamp', lo: i64(-limit - 1n), hi: i64(0) }), /lower stage bound in/],
    ['no segments', one({ ...segments, start: i64() }), /number of segments in \[1, 64\], got 0/],
    ['65 segments', one({ ...segments, ...sixtyFive }), /number of segments in \[1, 64\], got 65/],
    ['equal starts', one({ ...segments, start: i64(3, 3) }), /starts of segments to ascend/],
    ['offsets', one({ ...segments, offset: i64(1) }), /number of entries of segments in \[2, 2\]/],
    ['slopes', one({ ...segments, shift: Uint8Array.of(0, 63) }), /segment's shift in \[0, 62\]/],
    [
      'no thresholds',
      one({ kind: 'thresholds', count: 0, values: i64(), strict: false }),
      /number of thresholds in \[1, 65535\], got 0/,
    ],
    [
      'the number of thresholds',
      one({ kind: 'thresholds', count: 2, values: i64(1, 2, 3), strict: false }),
      /expected 2 or 2 thresholds, got 3/,
    ],
    [
      'descending thresholds',
      one({ kind: 'thresholds', count: 2, values: i64(2, 1), strict: false }),
      /thresholds of a channel to ascend/,
    ],
    [
      'a product beyond 2^62',
      () => {
        const most: Stage = { kind: 'multiply', factor: Int32Array.of(2 ** 31 - 1) };
        return add(staged(most, most)); // 262 * 2^62
      },
      /stage 1 \(multiply\), channel 0: a value may leave 2\^62/,
    ],
    [
      'a product on a segment',
      () =>
        add(
          staged(
            { kind: 'add', value: i64(-(2n ** 61n)) },
            { kind: 'saturate', bits: 61 },
            { ...segments, multiplier: Int32Array.of(5, 1) },
          ),
        ),
      /stage 2 \(segments\)/,
    ],
    ['no requantization', () => add({ kind: 'none' }), /got none|writes s32/],
    ['a weight', () => add(staged(three), -1), /a multiplier in/],
    ['weighted sums', () => add(staged(three), 2 ** 31 - 1), /weighted sums of 32 bits in/],
    [
      'a scale of the mean',
      () => programOf(poolOf({ kind: 'f32Window', scaleIn: 0, scaleOut: 1 }, 4, 0), 1, 4),
      /scaleIn to be a float32/,
    ],
    [
      'a scale',
      () => add({ kind: 'f32Rule', scale: Float32Array.of(-1), rule: 'halfUp' }),
      /scale/,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(ModelError);
    expect(make).toThrow(message);
  });

  test('what a segment cannot meet does not count', () => {
    // The second segment alone would leave 2^62, but sums stay below 2^20.
    const far = { ...segments, start: i64(0, 2 ** 20), offset: i64(0, limit) };
    expect(() => add(staged(far))).not.toThrow();
    expect(() => add(staged({ kind: 'add', value: i64(2 ** 20) }, far))).toThrow(/stage 1/);
    // Nor what a saturation before keeps out.
    const most: Stage = { kind: 'multiply', factor: Int32Array.of(-(2 ** 31)) };
    expect(() => add(staged({ kind: 'saturate', bits: 32 }, most, most))).toThrow(/stage 2/);
    expect(() => add(staged(most, { kind: 'saturate', bits: 32 }, most))).not.toThrow();
  });

  test('every rule and kind survives a file', () => {
    for (const rule of roundRules) {
      const requant = staged(
        { kind: 'add', value: i64(-(2n ** 40n)) },
        { kind: 'multiply', factor: Int32Array.of(-7) },
        { kind: 'shift', shift: Int8Array.of(3), rule },
        { kind: 'saturate', bits: 50 },
        { kind: 'clamp', lo: i64(-9), hi: i64(2n ** 41n) },
        { ...segments, rule },
        { kind: 'thresholds', count: 3, values: i64(1, 1, 2n ** 33n), strict: rule === 'ceil' },
      );
      const program = add(requant);
      expect((program.ops[0] as Extract<Op, { op: 'add' }>).form).toMatchObject({ requant });
    }
  });
});
