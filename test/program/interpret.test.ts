// SPDX-License-Identifier: Apache-2.0
import type { Codes } from '../../src/numeric/code-types.js';
import { fixedPointBig } from '../../src/numeric/requant.js';
import { checkProgram } from '../../src/program/check.js';
import { interpret } from '../../src/program/interpret.js';
import type {
  Accumulator,
  AddForm,
  AverageForm,
  ConvOp,
  Op,
  Program,
  ProgramTensor,
  Requant,
} from '../../src/program/program.js';
import { randomCodes, randomProgram } from './random-program.js';
import { Random } from './random.js';

const plain: Accumulator = {
  bits: 32,
  overflow: 'wrap',
  when: 'end',
  products: 'exact',
  biasFirst: false,
};
const unclamped = { lo: Int32Array.of(-(2 ** 31)), hi: Int32Array.of(2 ** 31 - 1) };
const s8Clamp = { lo: Int32Array.of(-128), hi: Int32Array.of(127) };

function tensor(
  name: string,
  shape: readonly number[],
  given: Partial<ProgramTensor> = {},
): ProgramTensor {
  const [height = 1, width = 1, channels = 1] = shape;
  return { name, dtype: 's8', height, width, channels, zeroPoint: 0, scale: 1, ...given };
}

function programOf(tensors: readonly ProgramTensor[], ops: readonly Op[]): Program {
  const program: Program = {
    target: 'test@1',
    metadata: {},
    tensors,
    input: 0,
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    outputs: [tensors.length - 1],
    ops,
  };
  checkProgram(program);
  return program;
}

/** A convolution over the last axis of one pixel, unless told otherwise. */
function convOf(weights: readonly number[], given: Partial<ConvOp> = {}): ConvOp {
  return {
    op: 'conv',
    name: 'conv',
    inputs: [0],
    output: 1,
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    groups: 1,
    weightType: 's8',
    weights: Int8Array.from(weights),
    weightZeroPoints: Int32Array.of(0),
    bias: Int32Array.of(0),
    accumulator: plain,
    requant: { kind: 'none' },
    clamp: unclamped,
    ...given,
  };
}

function runOps(tensors: readonly ProgramTensor[], ops: readonly Op[], input: Codes): number[] {
  return Array.from(interpret(programOf(tensors, ops), input).outputs[0]!.data);
}

const sums = (shape: readonly number[]): ProgramTensor => tensor('y', shape, { dtype: 's32' });

describe('conv', () => {
  test('sums a 2 x 2 window with asymmetric padding', () => {
    // 1 2      padded above and left: windows (.,.,.,1) (.,.,1,2) (.,1,.,3) (1,2,3,4)
    // 3 4
    const op = convOf([1, 10, 100, 1000], { kernel: [2, 2], pads: [1, 1, 0, 0] });
    const y = runOps(
      [tensor('x', [2, 2, 1]), sums([2, 2, 1])],
      [op],
      Int8Array.of(1, 2, 3, 4).map((v) => v),
    );
    // 1000 does not fit s8: weights wrap to -24 on construction
    expect(y).toEqual([-24, 100 - 48, 10 - 72, 1 + 20 + 300 - 96]);
  });

  test('subtracts both zero points, and padding contributes nothing', () => {
    const input = tensor('x', [1, 2, 1], { dtype: 'u8', zeroPoint: 10 });
    const op = convOf([], {
      kernel: [1, 3],
      pads: [0, 1, 0, 1],
      weightType: 'u8',
      weights: Uint8Array.of(5, 6, 8),
      weightZeroPoints: Int32Array.of(4),
      bias: Int32Array.of(1000),
    });
    // x - 10 = (-10, 3), w - 4 = (1, 2, 4)
    expect(runOps([input, sums([1, 2, 1])], [op], Uint8Array.of(0, 13))).toEqual([
      1000 - 20 + 12,
      1000 - 10 + 6,
    ]);
  });

  test('groups read their own channels, strides and dilations skip', () => {
    const op = convOf([1, 2, 3, 4], {
      kernel: [1, 2],
      dilations: [1, 2],
      strides: [1, 2],
      groups: 2,
      bias: Int32Array.of(0, 100),
    });
    // channels (1, -1), (2, -2), ... (5, -5) at columns 0 to 4; windows (0, 2) and (2, 4)
    const x = Int8Array.from([1, 2, 3, 4, 5].flatMap((v) => [v, -v]));
    const y = runOps([tensor('x', [1, 5, 2]), sums([1, 2, 2])], [op], x);
    expect(y).toEqual([1 + 6, 100 - 3 - 12, 3 + 10, 100 - 9 - 20]);
  });

  const narrow = (given: Partial<Accumulator>): Accumulator => ({ ...plain, bits: 16, ...given });
  const products = [127, 127, 127, -128, -128] as const; // x 127: 16129 * 3, then -16256 * 2
  const exactSum = 127 * (3 * 127 - 2 * 128) + 1000;
  test.each([
    ['wraps once at the end', narrow({}), exactSum],
    ['wraps at each step to the same', narrow({ when: 'each' }), exactSum],
    ['saturates once at the end', narrow({ overflow: 'saturate' }), exactSum],
    [
      'saturates at each step',
      narrow({ overflow: 'saturate', when: 'each' }),
      32767 - 32512 + 1000,
    ],
    [
      'saturates at each step, bias first',
      narrow({ overflow: 'saturate', when: 'each', biasFirst: true }),
      32767 - 32512,
    ],
    [
      'saturates symmetrically',
      narrow({ overflow: 'saturateSymmetric', when: 'each' }),
      32767 - 32512 + 1000,
    ],
  ])('%s', (_, accumulator, expected) => {
    const op = convOf(products, { bias: Int32Array.of(1000), accumulator });
    expect(
      runOps([tensor('x', [1, 1, 5]), sums([1, 1, 1])], [op], new Int8Array(5).fill(127)),
    ).toEqual([expected]);
  });

  test.each([
    ['wrap', -6 * 16256 + 65536],
    ['saturate', -32768],
    ['saturateSymmetric', -32767],
  ] as const)('%s below the range', (overflow, expected) => {
    const op = convOf([-128, -128, -128, -128, -128, -128], { accumulator: narrow({ overflow }) });
    expect(
      runOps([tensor('x', [1, 1, 6]), sums([1, 1, 1])], [op], new Int8Array(6).fill(127)),
    ).toEqual([expected]);
  });

  test('a trap names operation, element and value, and ends the run', () => {
    const accumulator = narrow({ overflow: 'trap', when: 'each' });
    const op = convOf([100, 100, 100], { accumulator });
    const copy: Op = { op: 'reshape', name: 'copy', inputs: [1], output: 2 };
    const tensors = [
      tensor('x', [1, 2, 3]),
      sums([1, 2, 1]),
      tensor('z', [1, 2, 1], { dtype: 's32' }),
    ];
    const program = programOf(tensors, [op, copy]);
    const run = interpret(program, Int8Array.of(1, 2, 3, 120, 120, 120), { taps: 'all' });
    expect(run).toEqual({
      outputs: [],
      taps: new Map(),
      trap: { layer: 'conv', element: 1, value: 36000n },
    });
    expect(interpret(program, new Int8Array(6)).trap).toBeUndefined();
  });

  test('pairs of u8 x s8 products saturate to 16 bits, zero point and padding included', () => {
    const input = tensor('x', [1, 2, 3], { dtype: 'u8', zeroPoint: 7 });
    const op = convOf([127, 127, -128, -128, 127, 1], {
      kernel: [1, 2],
      pads: [0, 0, 0, 1],
      accumulator: { ...plain, products: 'satPairs16' },
      bias: Int32Array.of(5),
    });
    const offset = 5 - 7 * (127 + 127 - 128 - 128 + 127 + 1);
    // pixels a = (255, 255, 255), b = (255, 255, 10): 64770 -> 32767, -65280 -> -32768, 32385 + 10
    const first = offset + 32767 - 32768 + 32395;
    // b then padding (7, 7, 7): 64770 -> 32767, -1280 - 896, 889 + 7
    const second = offset + 32767 - 2176 + 896;
    const y = runOps([input, sums([1, 2, 1])], [op], Uint8Array.of(255, 255, 255, 255, 255, 10));
    expect(y).toEqual([first, second]);
  });

  test('sums that may leave 53 bits are exact', () => {
    const channels = 65536;
    const op = convOf([], {
      kernel: [6, 6], // 36 * 65536 terms of up to 2^32; all but the last 65536 are padding
      pads: [5, 5, 0, 0],
      weightType: 's16',
      weights: new Int16Array(36 * channels).fill(32767),
      weightZeroPoints: Int32Array.of(-32768),
      accumulator: { ...plain, bits: 48, overflow: 'trap' }, // a trap tells the exact sum
    });
    const input = tensor('x', [1, 1, channels], { dtype: 's16', zeroPoint: 32767 });
    const x = new Int16Array(channels).fill(-32768);
    x[0] = 32766;
    const run = interpret(programOf([input, sums([1, 1, 1])], [op]), x);
    expect(run.trap?.value).toBe(-65535n * (65535n * BigInt(channels - 1) + 1n));
  });
});

/** finish(a) for a convolution that passes its one input through. */
function finished(requant: Requant, a: number, given: Partial<ProgramTensor> = {}): number {
  const op = convOf([1], {
    requant,
    bias: Int32Array.of(a),
    clamp: given.dtype === 'u8' ? { lo: Int32Array.of(0), hi: Int32Array.of(255) } : s8Clamp,
  });
  return runOps([tensor('x', [1, 1, 1]), tensor('y', [1, 1, 1], given)], [op], Int8Array.of(0))[0]!;
}

describe('requantization', () => {
  const fixed = (multiplier: number, shift: number): Requant => ({
    kind: 'fixed',
    multiplier: Int32Array.of(multiplier),
    shift: Uint8Array.of(shift),
    rule: 'gemmlowp2',
  });

  test('fixed: 0.5 * 2^-3 with two roundings', () => {
    expect(finished(fixed(2 ** 30, 34), 8)).toBe(1); // 0.5: away from zero
    expect(finished(fixed(2 ** 30, 34), -8)).toBe(-1);
    expect(finished(fixed(2 ** 30, 34), 7)).toBe(1); // 3.5 -> 4, 4 / 8 = 0.5 -> 1: rounded twice
    expect(finished(fixed(2 ** 30, 34), 6)).toBe(0);
  });

  test('f32: half to even, after one rounding of the product', () => {
    const half: Requant = { kind: 'f32', scale: Float32Array.of(0.5) };
    expect([5, 7, -5, -7].map((a) => finished(half, a))).toEqual([2, 4, -2, -4]);
    // 2^24 + 1 is no float32: it rounds to 2^24 first
    const tiny: Requant = { kind: 'f32', scale: Float32Array.of(1.5 * 2 ** -24) };
    expect(finished(tiny, 2 ** 24 + 1)).toBe(2);
  });

  test('f32: a product beyond float32 saturates', () => {
    const huge: Requant = { kind: 'f32', scale: Float32Array.of(3e38) };
    expect([finished(huge, 100), finished(huge, -100), finished(huge, 0)]).toEqual([127, -128, 0]);
  });

  test('shift: right rounds, left is exact', () => {
    const shift = (s: number): Requant => ({
      kind: 'shift',
      shift: Int8Array.of(s),
      rule: 'halfUp',
    });
    expect([6, -6, 5].map((a) => finished(shift(2), a))).toEqual([2, -1, 1]);
    expect(finished(shift(-3), 5)).toBe(40);
    expect(finished(shift(-31), 2 ** 30)).toBe(127);
  });

  test('the zero point comes after rounding, the clamp last', () => {
    expect(finished(fixed(2 ** 30, 31), 20, { zeroPoint: -3 })).toBe(7);
    expect(finished(fixed(2 ** 30, 31), 1000, { dtype: 'u8', zeroPoint: 200 })).toBe(255);
    expect(finished(fixed(2 ** 30, 31), -1000, { dtype: 'u8', zeroPoint: 200 })).toBe(0);
  });
});

describe('add', () => {
  const two = [tensor('x', [1, 1, 2]), tensor('y', [1, 1, 2])];
  const addOf = (form: AddForm): Op => ({
    op: 'add',
    name: 'add',
    inputs: [0, 0],
    output: 1,
    form,
    clamp: s8Clamp,
  });

  test('rescaled: three roundings', () => {
    const form: AddForm = {
      kind: 'rescaled',
      leftShift: 20,
      multiplierA: 2 ** 30,
      shiftA: 31,
      multiplierB: 2 ** 30,
      shiftB: 32,
      multiplierOut: 2 ** 30,
      shiftOut: 50,
      rule: 'gemmlowp2',
    };
    // x / 2 + x / 4, with 20 fractional bits on the way
    expect(runOps(two, [addOf(form)], Int8Array.of(3, -3))).toEqual([2, -2]);
    const exact = (x: number): number => {
      const a = fixedPointBig(BigInt(x) << 20n, 1n << 30n, 31, 'gemmlowp2');
      const b = fixedPointBig(BigInt(x) << 20n, 1n << 30n, 32, 'gemmlowp2');
      return Number(fixedPointBig(a + b, 1n << 30n, 50, 'gemmlowp2'));
    };
    const codes = Int8Array.from({ length: 2 }, (_, i) => (i === 0 ? 101 : -77));
    expect(runOps(two, [addOf(form)], codes)).toEqual([exact(101), exact(-77)]);
  });

  test('aligned: one rounding of the exact sum', () => {
    const form: AddForm = {
      kind: 'aligned',
      multiplierA: 3,
      multiplierB: 2,
      shift: 1,
      rule: 'halfAway',
    };
    expect(runOps(two, [addOf(form)], Int8Array.of(5, -5))).toEqual([13, -13]);
    const exact: AddForm = { ...form, shift: 0 };
    expect(runOps(two, [addOf(exact)], Int8Array.of(5, -5))).toEqual([25, -25]);
  });

  test('f32 forms part where their roundings part', () => {
    const { separate, fused, direct } = differingAdds();
    expect(separate).toBeGreaterThan(0);
    expect(fused).toBeGreaterThan(0);
    expect(direct).toBeGreaterThan(0);
  });

  /** How often each form differs from the exact sum, over decimal scales and all pairs of a grid. */
  function differingAdds(): Record<'separate' | 'fused' | 'direct', number> {
    const count = { separate: 0, fused: 0, direct: 0 };
    const codes = Int8Array.from({ length: 256 }, (_, i) => i - 128);
    for (const form of ['separate', 'fused', 'direct'] as const) {
      for (let i = 1; i < 40; ++i) {
        const scale = Math.fround(i / 20);
        const tensors = [
          tensor('x', [1, 1, 256], { zeroPoint: 3 }),
          tensor('y', [1, 1, 256], { zeroPoint: -5 }),
        ];
        const op = addOf({
          kind: 'f32',
          form,
          scaleA: scale,
          scaleB: Math.fround(0.1),
          scaleOut: 1,
        });
        const y = runOps(tensors, [op], codes);
        y.forEach((code, k) => {
          const real = ((codes[k]! - 3) * (i * 2 + 4)) / 40 - 5;
          const even = 2 * Math.round(real / 2);
          const exact = Math.abs(real % 1) === 0.5 ? even : Math.round(real);
          if (code !== Math.min(Math.max(exact, -128), 127)) ++count[form];
        });
      }
    }
    return count;
  }
});

describe('mul', () => {
  test('repeats one pixel over the image', () => {
    const pool: Op = {
      op: 'averagePool',
      name: 'pool',
      inputs: [0],
      output: 1,
      kernel: [1, 2],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      form: { kind: 'requant', requant: { kind: 'shift', shift: Int8Array.of(0), rule: 'floor' } },
      clamp: s8Clamp,
    };
    const mul: Op = {
      op: 'mul',
      name: 'mul',
      inputs: [0, 1],
      output: 2,
      requant: { kind: 'none' },
      clamp: unclamped,
    };
    const tensors = [
      tensor('x', [1, 2, 2], { zeroPoint: 1 }),
      tensor('p', [1, 1, 2], { zeroPoint: 2 }),
      sums([1, 2, 2]),
    ];
    // x - 1 = (1, 2), (3, -4); sums (4, -2)
    expect(runOps(tensors, [pool, mul], Int8Array.of(2, 3, 4, -3))).toEqual([4, -4, 12, 8]);
  });
});

describe('pools', () => {
  const window = { kernel: [1, 2], strides: [1, 2], pads: [0, 1, 0, 0] } as const;
  const poolOf = (form: AverageForm): Op => ({
    op: 'averagePool',
    name: 'pool',
    inputs: [0],
    output: 1,
    ...window,
    form,
    clamp: s8Clamp,
  });
  const tensors = [
    tensor('x', [1, 5, 1], { zeroPoint: 9 }),
    tensor('y', [1, 3, 1], { zeroPoint: 9 }),
  ];
  const x = Int8Array.of(-7, 1, 2, -1, -2); // windows (-7), (1, 2), (-1, -2)

  test.each([
    ['halfAway', [-7, 2, -2]],
    ['halfUp', [-7, 2, -1]],
    ['trunc0', [-7, 1, -1]],
  ] as const)('divide %s uses raw codes inside the image', (rule, expected) => {
    expect(runOps(tensors, [poolOf({ kind: 'divide', rule })], x)).toEqual(expected);
  });

  test('requant sums codes less their zero point', () => {
    const requant: Requant = { kind: 'shift', shift: Int8Array.of(1), rule: 'halfUp' };
    expect(runOps(tensors, [poolOf({ kind: 'requant', requant })], x)).toEqual([
      -8 + 9,
      -7 + 9,
      -10 + 9,
    ]);
  });

  test('max', () => {
    const op: Op = {
      op: 'maxPool',
      name: 'max',
      inputs: [0],
      output: 1,
      ...window,
      clamp: { lo: Int32Array.of(-5), hi: Int32Array.of(127) },
    };
    expect(runOps(tensors, [op], x)).toEqual([-5, 2, -1]);
  });
});

describe('codes that move', () => {
  test('concat, pad, reshape and lut', () => {
    const tensors = [
      tensor('x', [1, 2, 1], { zeroPoint: 4 }),
      tensor('cat', [1, 2, 2], { zeroPoint: 4 }),
      tensor('pad', [2, 3, 2], { zeroPoint: 4 }),
      tensor('flat', [1, 1, 12], { zeroPoint: 4 }),
      tensor('lut', [1, 1, 12], { dtype: 'u8' }),
    ];
    const ops: Op[] = [
      { op: 'concat', name: 'a', inputs: [0, 0], output: 1 },
      { op: 'pad', name: 'b', inputs: [1], output: 2, pads: [1, 1, 0, 0] },
      { op: 'reshape', name: 'c', inputs: [2], output: 3 },
      {
        op: 'lut',
        name: 'd',
        inputs: [3],
        output: 4,
        table: Int32Array.from({ length: 256 }, (_, i) => 255 - i),
      },
    ];
    const flat = [4, 4, 4, 4, 4, 4, 4, 4, -1, -1, 2, 2];
    const program = programOf(tensors, ops);
    const run = interpret(program, Int8Array.of(-1, 2), { taps: ['c', 'x', 'cat'] });
    expect(Array.from(run.outputs[0]!.data)).toEqual(flat.map((v) => 255 - (v + 128)));
    expect(Array.from(run.taps.keys())).toEqual(['x', 'cat', 'flat']);
    expect(Array.from(run.taps.get('flat')!.data)).toEqual(flat);
  });
});

describe('softmax by table', () => {
  test.each([
    ['halfAway', [127, 64, 64]],
    ['truncHalf', [127, 64, 64]],
  ] as const)('%s', (rule, expected) => {
    const table = Float32Array.from({ length: 256 }, (_, i) => 2 ** -i);
    const op: Op = {
      op: 'softmax',
      name: 's',
      inputs: [0],
      output: 1,
      form: { kind: 'f32Table', table, outputScale: 1 / 256, rule },
    };
    const tensors = [tensor('x', [1, 1, 3]), tensor('y', [1, 1, 3], { dtype: 'u8' })];
    // shares 1/2, 1/4, 1/4 of 256
    expect(runOps(tensors, [op], Int8Array.of(5, 4, 4))).toEqual([128, ...expected.slice(1)]);
  });
});

describe('an independent convolution in BigInt', () => {
  /** The specification's conv for plain accumulators, index by index, without sharing any code. */
  function convolve(program: Program, op: ConvOp, x: Codes): bigint[] {
    const input = program.tensors[op.inputs[0]!]!;
    const output = program.tensors[op.output]!;
    const inner = input.channels / op.groups;
    const at = (y: number, c: number, ch: number): bigint =>
      y < 0 || c < 0 || y >= input.height || c >= input.width
        ? 0n
        : BigInt(x[(y * input.width + c) * input.channels + ch]! - input.zeroPoint);
    const result: bigint[] = [];
    for (let i = 0; i < output.height * output.width * output.channels; ++i) {
      const o = i % output.channels;
      const column = Math.floor(i / output.channels) % output.width;
      const row = Math.floor(i / output.channels / output.width);
      const group = Math.floor((o * op.groups) / output.channels);
      let sum = BigInt(op.bias[o]!);
      for (let k = 0; k < op.kernel[0] * op.kernel[1] * inner; ++k) {
        const [ky, kx, c] = [
          Math.floor(k / inner / op.kernel[1]),
          Math.floor(k / inner) % op.kernel[1],
          k % inner,
        ];
        const zero = op.weightZeroPoints[op.weightZeroPoints.length === 1 ? 0 : o]!;
        const weight = BigInt(op.weights[o * op.kernel[0] * op.kernel[1] * inner + k]! - zero);
        const y = row * op.strides[0] + ky * op.dilations[0] - op.pads[0];
        const xx = column * op.strides[1] + kx * op.dilations[1] - op.pads[1];
        sum += weight * at(y, xx, group * inner + c);
      }
      result.push(BigInt.asIntN(32, sum));
    }
    return result;
  }

  test('agrees on random convolutions', () => {
    let compared = 0;
    for (let seed = 1; seed <= 40; ++seed) {
      const program = randomProgram(seed, { ops: ['conv'], length: 1, plainAccumulators: true });
      const op = program.ops[0]!;
      if (op.op !== 'conv') throw new Error('expected a convolution');
      const { height, width } = program.tensors[1]!;
      if (height * width * op.weights.length > 50000) continue; // BigInt is slow
      const raw: Program = {
        ...program,
        tensors: [program.tensors[0]!, { ...program.tensors[1]!, dtype: 's32', zeroPoint: 0 }],
        ops: [{ ...op, requant: { kind: 'none' }, clamp: unclamped }],
      };
      checkProgram(raw);
      const x = randomCodes(raw, seed);
      const y = interpret(raw, x).outputs[0]!.data;
      expect(Array.from(y)).toEqual(convolve(raw, op, x).map(Number));
      compared += y.length;
    }
    expect(compared).toBeGreaterThan(3000);
  });
});

describe('arguments', () => {
  const program = programOf([tensor('x', [1, 1, 2]), sums([1, 1, 1])], [convOf([1, 1])]);

  test('input codes of another type or number', () => {
    expect(() => interpret(program, Uint8Array.of(1, 2))).toThrow(
      /expected 2 codes of s8.*got 2 of u8/,
    );
    expect(() => interpret(program, Int8Array.of(1))).toThrow(/\[input-codes\].*got 1 of s8/);
  });

  test('an unknown tap', () => {
    expect(() => interpret(program, Int8Array.of(1, 2), { taps: ['nothing'] })).toThrow(
      /\[unknown-tap\] tap "nothing".*such as conv, x, y/,
    );
  });

  test('the random source is the same on every machine', () => {
    const random = new Random(1);
    expect([random.integer(0, 999), random.integer(0, 999), random.integer(0, 999)]).toEqual([
      627, 2, 527,
    ]);
  });
});
