// SPDX-License-Identifier: Apache-2.0
// Lowering and loading at their bounds: the last value that fits, the first that does not, and choices
// that differ only there.
import type { QuantNode } from '../../src/graph/quant-graph.js';
import { checkProgram } from '../../src/program/check.js';
import { lower } from '../../src/program/lower.js';
import { alignBias } from '../../src/program/lower/bias.js';
import { Violations } from '../../src/program/lower/violations.js';
import type { AddForm, Op, Program, ProgramTensor } from '../../src/program/program.js';
import { findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from './quant-graphs.js';

const never = (_: number, reason: string): never => {
  throw new Error(reason);
};

describe('biases in registers', () => {
  const sixteen = { bits: 16, overflow: 'refuse', shift: 'least' } as const;

  test('are shifted only where they have to be', () => {
    expect([...alignBias(Int32Array.of(-32768, 32767), sixteen, never)]).toEqual([-32768, 32767]);
    // One bit less: halves away from 0 or up, then at accumulator scale again.
    expect([...alignBias(Int32Array.of(32768, 7), sixteen, never)]).toEqual([32768, 8]);
    expect([...alignBias(Int32Array.of(-32769, 7), sixteen, never)]).toEqual([-32768, 8]);
  });

  test('the least and the greatest register value fit, and no other', () => {
    const fixed = { bits: 8, overflow: 'refuse' } as const;
    expect([...alignBias(Int32Array.of(-128, 127), fixed, never)]).toEqual([-128, 127]);
    for (const b of [-129, 128])
      expect(() => alignBias(Int32Array.of(b), fixed, never)).toThrow(/does not fit 8 bits$/);
  });
});

test('constraints in brief: short places stay whole, long ones are cut', () => {
  const brief = (where: string): string => {
    const violations = new Violations();
    violations.add('is wrong; do it again', where);
    return violations.brief(500);
  };
  expect(brief('node "conv"')).toBe('node "conv" is wrong');
  expect(brief('n'.repeat(60))).toBe(`${'n'.repeat(60)} is wrong`);
  expect(brief('n'.repeat(61))).toBe(`${'n'.repeat(57)}... is wrong`);
});

describe('lowering', () => {
  /** The only operation of kind `kind` that a node is lowered to. */
  function only<K extends Op['op']>(
    values: readonly ReturnType<typeof value>[],
    node: QuantNode,
    target: string,
    kind: K,
  ): Extract<Op, { op: K }> {
    const ops = lower(graphOf(values, [node]), findTarget(target)).ops;
    const found = ops.filter((op): op is Extract<Op, { op: K }> => op.op === kind);
    expect(found).toHaveLength(1);
    return found[0]!;
  }
  const u8 = { dtype: 'u8', scale: 0.5 } as const;

  test('a layer over one channel is no depthwise one: LiteRT rounds its u8 sums like any other', () => {
    const weight = (shape: number[]) => ({
      dtype: 'u8' as const,
      bits: 8,
      shape,
      data: new Uint8Array(shape[0]! * shape[1]!).fill(131),
      scales: Float32Array.of(0.3),
      zeroPoints: Int32Array.of(128),
    });
    const ruleOf = (channels: number, group: number) => {
      const values = [value('x', [1, channels, 3, 3], u8), value('y', [1, channels, 3, 3], u8)];
      const node = convNode(channels, 1, { group, weight: weight([channels, 1, 1, 1]) });
      const { requant } = only(values, node, 'tflite-builtin', 'conv');
      return requant.kind === 'fixed' ? requant.rule : requant.kind;
    };
    expect([ruleOf(1, 1), ruleOf(2, 2)]).toEqual(['ruyx86', 'gemmlowp2']);
  });

  test('products saturate in pairs unless every output channel has one input to itself', () => {
    const products = (inputs: number, outputs: number, group: number) => {
      const values = [value('x', [1, inputs, 3, 3], u8), value('y', [1, outputs, 3, 3], u8)];
      const perGroup = inputs / group;
      const node = convNode(outputs, perGroup, { group });
      return only(values, node, 'onnxruntime-avx2', 'conv').accumulator.products;
    };
    expect(products(2, 2, 2)).toBe('exact');
    expect(products(2, 4, 2)).toBe('satPairs16');
    expect(products(4, 2, 2)).toBe('satPairs16');
  });

  test('a scale factor that float32 does not hold is refused', () => {
    const mul: QuantNode = { op: 'Mul', name: 'mul', inputs: ['x', 'x'], output: 'y' };
    const run = (scale: number) => {
      const values = ['x', 'y'].map((name, i) =>
        value(name, [1, 1, 4, 4], { dtype: 'u8', scale: i === 0 ? scale : 1 }),
      );
      return lower(graphOf(values, [mul]), findTarget('k210'));
    };
    expect(run(2 ** -60).ops).toHaveLength(1);
    expect(() => run(2 ** -80)).toThrow(/has a scale factor outside of float32/);
  });

  test('a product of an image and one number per channel needs as many channels', () => {
    const nodes: QuantNode[] = [
      { op: 'GlobalAveragePool', name: 'pool', inputs: ['x'], output: 'p' },
      { op: 'Mul', name: 'mul', inputs: ['x', 'p'], output: 'y' },
    ];
    const graph = (channels: number) =>
      graphOf(
        [value('x', [1, 2, 3, 3]), value('p', [1, channels, 1, 1]), value('y', [1, 2, 3, 3])],
        nodes,
      );
    expect(lower(graph(2), findTarget('tflm')).ops).toHaveLength(2);
    expect(() => lower(graph(3), findTarget('tflm'))).toThrow(/target-constraint|shape/);
  });

  test('float32 sums with scales that leave float32 are refused', () => {
    const values = (scale: number) => [
      value('x', [1, 1, 1, 1], { scale }),
      value('y', [1, 1, 1, 1], { scale: 1 }),
    ];
    const add: QuantNode = { op: 'Add', name: 'add', inputs: ['x', 'x'], output: 'y' };
    const run = (scale: number) => lower(graphOf(values(scale), [add]), findTarget('onnxruntime'));
    expect(run(2 ** -60).ops).toHaveLength(1);
    expect(() => run(2 ** -70)).toThrow(/target-constraint/);
    expect(() => run(2 ** 70)).toThrow(/target-constraint/);
  });

  describe('means', () => {
    const global: QuantNode = { op: 'GlobalAveragePool', name: 'pool', inputs: ['x'], output: 'y' };
    const windowed: QuantNode = {
      ...global,
      op: 'AveragePool',
      kernel: [7, 7],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      countIncludePad: false,
    };
    const sides = (si: number, so: number) => [
      value('x', [1, 1, 7, 7], { scale: si }),
      value('y', [1, 1, 1, 1], { scale: so }),
    ];

    test('tflm: a factor so small that fewer bits are left for the division', () => {
      // 2^-28: m = 2^30, e = -27, so k = min(5, 32, 31 - 27) = 4: floor(2^34 / 49), shift 58 + 4.
      const { form } = only(sides(2 ** -28, 1), global, 'tflm', 'averagePool');
      expect(form).toMatchObject({
        requant: {
          multiplier: Int32Array.of(Math.floor(2 ** 34 / 49)),
          shift: Uint8Array.of(62),
        },
      });
    });

    test('tflm: a whole window that changes the scale is the global mean', () => {
      const form = (node: QuantNode) => only(sides(0.5, 0.25), node, 'tflm', 'averagePool').form;
      expect(form(windowed)).toEqual(form(global));
    });

    test('ethos-u: a stride of 3 is its last', () => {
      const strided = (stride: number) => {
        const node: QuantNode = { ...windowed, kernel: [2, 2], strides: [stride, stride] };
        const out = Math.floor(8 / stride) + 1;
        const values = [
          value('x', [1, 1, 10, 10], { scale: 0.5 }),
          value('y', [1, 1, out, out], { scale: 0.5 }),
        ];
        return lower(graphOf(values, [node]), findTarget('ethos-u'));
      };
      expect(strided(3).ops).toHaveLength(1);
      expect(() => strided(4)).toThrow(/pools with stride 4, which must be at most 3/);
    });
  });
});

describe('loading', () => {
  const pixel = (name: string, width: number, zeroPoint = 0): ProgramTensor => ({
    ...{ name, dtype: 's8', height: 1, width, channels: 1, zeroPoint, scale: 1 },
  });
  const clamp = { lo: Int32Array.of(-128), hi: Int32Array.of(127) };
  const programOf = (op: Op, input: ProgramTensor, width: number): Program => ({
    target: 'test@1',
    metadata: {},
    tensors: [input, pixel('y', width)],
    input: 0,
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    outputs: [1],
    ops: [op],
  });
  const requant = { kind: 'shift', shift: Int8Array.of(24), rule: 'halfUp' } as const;
  const sum = (form: AddForm, zeroPoint = 0): Program =>
    programOf(
      { op: 'add', name: 'add', inputs: [0, 0], output: 1, form, clamp },
      pixel('x', 1, zeroPoint),
      1,
    );

  test('sums reach as far as codes less their zero point', () => {
    const weighted = (multiplierA: number): AddForm => ({
      ...{ kind: 'requant', multiplierA, multiplierB: 0, requant },
    });
    // 127 + 128 times the multiplier.
    const most = Math.floor((2 ** 31 - 1) / 255);
    expect(() => {
      checkProgram(sum(weighted(most), -128));
    }).not.toThrow();
    expect(() => {
      checkProgram(sum(weighted(most + 1), -128));
    }).toThrow(/weighted sums of 32 bits/);
  });

  test('tables have an entry for each code, and their sums fit', () => {
    const tables = (entries: number, last: number): AddForm => {
      const table = new Int32Array(entries).fill(last, -1);
      return { kind: 'tables', tableA: table, tableB: table, requant };
    };
    expect(() => {
      checkProgram(sum(tables(256, 2 ** 30 - 1)));
    }).not.toThrow();
    for (const entries of [255, 257])
      expect(() => {
        checkProgram(sum(tables(entries, 1)));
      }).toThrow(/number of table entries in \[256, 256\]/);
    for (const last of [2 ** 30, -(2 ** 30) - 1])
      expect(() => {
        checkProgram(sum(tables(256, last)));
      }).toThrow(/sums of 32 bits/);
  });

  test('the last window of a pool holds a pixel', () => {
    const pool = (padding: number): Program =>
      programOf(
        {
          ...{ op: 'maxPool', name: 'pool', inputs: [0], output: 1 },
          ...{ kernel: [1, 4], strides: [1, 2], pads: [0, 0, 0, padding], clamp },
        },
        pixel('x', 4),
        Math.floor(padding / 2) + 1,
      );
    expect(() => {
      checkProgram(pool(2));
    }).not.toThrow();
    expect(() => {
      checkProgram(pool(4));
    }).toThrow(/holds no pixel/);
  });
});
