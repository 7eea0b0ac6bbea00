// SPDX-License-Identifier: Apache-2.0
import { lower } from '../../src/program/lower.js';
import type { ConvOp } from '../../src/program/program.js';
import { allTargets, findTarget } from '../../src/targets/index.js';
import { parseUserTarget } from '../../src/targets/user-target.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

const parse = (content: object) => parseUserTarget(JSON.stringify(content), 'npu.json');
const message = (content: object | string): string => {
  try {
    parseUserTarget(typeof content === 'string' ? content : JSON.stringify(content), 'npu.json');
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected an error');
};

describe('a target of JSON', () => {
  test.each(allTargets.map((target) => [target.id, target] as const))(
    'everything that %s says can be said',
    (_, { constraints, arithmetic }) => {
      const whole = parse({ id: 'npu@1', constraints, arithmetic });
      expect(JSON.stringify(whole.constraints)).toBe(JSON.stringify(constraints));
      expect(whole.arithmetic).toEqual(arithmetic);
    },
  );

  test('extends: what is not given is taken over, and evidence is not', () => {
    const target = parse({
      id: 'npu@1',
      extends: 'tflm',
      arithmetic: { accumulator: { bits: 20, overflow: 'saturate' } },
    });
    const { arithmetic, constraints } = findTarget('tflm');
    expect(target).toMatchObject({
      id: 'npu@1',
      aliases: [],
      evidence: 'unverified',
      provenBy: [],
    });
    expect(target.constraints).toEqual(constraints);
    expect(target.arithmetic).toEqual({
      ...arithmetic,
      accumulator: { ...arithmetic.accumulator, bits: 20, overflow: 'saturate' },
    });
  });

  test('another kind replaces, null takes away', () => {
    const target = parse({
      id: 'npu@1',
      extends: 'tflm',
      arithmetic: { add: { kind: 'pow2', rule: 'floor' }, softmax: null },
    });
    expect(target.arithmetic.add).toEqual({ kind: 'pow2', rule: 'floor' });
    expect(target.arithmetic.softmax).toBeUndefined();
  });
});

const scale = {
  kind: 'scale',
  bits: 12,
  greatestShift: 40,
  encode: 'halfEven',
  rule: 'floor',
  commonShift: false,
};
const staged = (...steps: object[]) => ({ code: { kind: 'staged', steps } });

describe('mistakes: file, key, what came, the way out', () => {
  const npu = (arithmetic: object) => ({ id: 'npu@1', extends: 'tflm', arithmetic });
  test.each<[string, object | string, string[]]>([
    ['no JSON', '{', ['[bad-target] npu.json', 'not JSON']],
    ['no object', '[]', ['expected a JSON object', '"extends": "tflm"']],
    ['no id', { extends: 'tflm' }, ['"id"', 'it is missing']],
    ['a bare id', { id: 'npu', extends: 'tflm' }, ['name@version', 'got "npu"']],
    ['a built-in id', { id: 'pow2@1', extends: 'tflm' }, ['"pow2@1" is a built-in profile']],
    ['an unknown parent', { id: 'a@1', extends: 'tpu' }, ['"extends"', 'expected one of', 'tflm']],
    ['missing keys', { id: 'a@1' }, ['"constraints"', 'it is missing', '"extends": "tflm"']],
    ['evidence', { id: 'a@1', extends: 'tflm', evidence: 'verified' }, ['always "unverified"']],
    [
      'an unknown key at the top',
      { id: 'a@1', extends: 'tflm', arithmetics: {} },
      ['unknown key "arithmetics"', 'known are id, extends'],
    ],
    [
      'an unknown key inside',
      npu({ accumulator: { width: 16 } }),
      ['in "arithmetic.accumulator": unknown key "width"', 'known are bits, overflow'],
    ],
    [
      'an accumulator of 15 bits',
      npu({ accumulator: { bits: 15 } }),
      ['"arithmetic.accumulator.bits"', '>=16', 'got 15'],
    ],
    ['an accumulator of 65', npu({ accumulator: { bits: 65 } }), ['<=64', 'got 65']],
    ['half a bit', npu({ accumulator: { bits: 16.5 } }), ['"arithmetic.accumulator.bits"', '16.5']],
    [
      'double rounding beyond 32 bits',
      npu({ accumulator: { bits: 40 } }),
      ['40 with the rule gemmlowp2', 'halfUp'],
    ],
    [
      'double rounding of a narrow multiplier',
      npu({ code: { multiplierBits: 16 } }),
      ['"arithmetic.code.multiplierBits": 16', 'halfUp'],
    ],
    [
      'a multiplier of 33 bits',
      npu({ code: { multiplierBits: 33, rule: 'halfUp' } }),
      ['"arithmetic.code.multiplierBits"', '<=32', 'got 33'],
    ],
    [
      'an unknown rule',
      npu({ code: { kind: 'q31', rule: 'nearest' } }),
      ['"arithmetic.code.rule"', '"halfUp"', '"gemmlowp2"', 'got "nearest"'],
    ],
    [
      'pairs at each step',
      npu({ accumulator: { products: 'satPairs16', when: 'each' } }),
      ['only with "end"'],
    ],
    [
      'a bias of 40 bits',
      npu({ bias: { bits: 40, overflow: 'refuse' } }),
      ['"arithmetic.bias.bits"', '<=32'],
    ],
    [
      'a bias shifted by an unknown word',
      npu({ bias: { bits: 8, overflow: 'refuse', shift: 'most' } }),
      ['"arithmetic.bias.shift"', 'got "most"'],
    ],
    [
      'an unknown step',
      npu(staged({ kind: 'relu' })),
      ['"arithmetic.code.steps.0.kind"', 'got "relu"'],
    ],
    [
      'an unknown key of a step',
      npu(staged({ kind: 'saturate', bits: 20, rule: 'floor' })),
      ['in "arithmetic.code.steps.0": unknown key "rule"', 'known are kind, bits'],
    ],
    [
      'a saturation of 63 bits',
      npu(staged({ kind: 'saturate', bits: 63 }, scale)),
      ['"arithmetic.code.steps.0.bits"', '<=62', 'got 63'],
    ],
    [
      'a step multiplier of 33 bits',
      npu(staged({ ...scale, bits: 33 })),
      ['"arithmetic.code.steps.0.bits"', '<=32', 'got 33'],
    ],
    [
      'a pipeline without a scale',
      npu(staged({ kind: 'bias' })),
      ['"arithmetic.code.steps"', 'expected one "scale" without "innerBits"'],
    ],
    [
      'a pipeline that ends at its inner scale',
      npu(staged({ ...scale, innerBits: 30 })),
      ['"arithmetic.code.steps"', 'expected one "scale" without "innerBits"'],
    ],
    [
      'a pipeline that scales twice to the output',
      npu(staged(scale, scale)),
      ['two steps scale to the output; give the first "innerBits"'],
    ],
    [
      'a bias behind the scale',
      npu(staged(scale, { kind: 'bias' })),
      ['"bias" comes after the output\'s scale'],
    ],
    [
      'a bias added twice',
      npu(staged({ kind: 'bias' }, { kind: 'bias' }, scale)),
      ['the bias is added twice'],
    ],
    [
      'weights of 25 bits for a sum',
      npu({ add: { kind: 'weighted', bits: 25, code: { kind: 'f32' } } }),
      ['"arithmetic.add.bits"', '<=24', 'got 25'],
    ],
  ])('%s', (_, content, parts) => {
    const text = message(content);
    for (const part of parts) expect(text).toContain(part);
    expect(text.split('\n')).toHaveLength(1);
  });
});

describe('lowering for it', () => {
  const graph = (bias?: Int32Array) =>
    graphOf(
      [value('x', [1, 1, 1, 1]), value('y', [1, 1, 1, 1])],
      [convNode(1, 1, { bias }, [0.7])],
    );
  const conv = (target: object, bias?: Int32Array) => {
    const [op] = lower(graph(bias), parse(target)).ops;
    return op as ConvOp;
  };

  test('a multiplier of 16 bits: 15 digits', () => {
    const code = { kind: 'q31', rule: 'halfEven', multiplierBits: 16 };
    const { requant } = conv({ id: 'npu@1', extends: 'tflm', arithmetic: { code } });
    // float32 0.7 is 0.69999998...; times 2^15 that is 22937.6.
    expect(requant).toEqual({
      kind: 'fixed',
      multiplier: Int32Array.of(22938),
      shift: Uint8Array.of(15),
      rule: 'halfEven',
    });
  });

  test('a bias wider than the register is refused by channel, or saturates', () => {
    const bias = (overflow: string) => ({
      id: 'npu@1',
      extends: 'tflm',
      arithmetic: { bias: { bits: 16, overflow } },
    });
    expect(() => conv(bias('refuse'), Int32Array.of(40000))).toThrow(
      /node "conv": channel 0: the bias 40000 does not fit 16 bits/,
    );
    expect(conv(bias('refuse'), Int32Array.of(-32768)).bias).toEqual(Int32Array.of(-32768));
    expect(conv(bias('saturate'), Int32Array.of(40000)).bias).toEqual(Int32Array.of(32767));
  });

  test("a pipeline of one's own: saturation, bias, two multipliers", () => {
    const arithmetic = {
      ...staged(
        { kind: 'saturate', bits: 20 },
        { ...scale, innerBits: 24 },
        { kind: 'bias' },
        { ...scale, bits: 8, rule: 'halfAway' },
      ),
      bias: { bits: 8, shift: 4, overflow: 'saturate', rule: 'floor' },
    };
    const { bias, requant } = conv(
      { id: 'npu@1', extends: 'tflm', arithmetic },
      Int32Array.of(100),
    );
    // 100 is 6 in the register. The factor f32(0.7) times 2^11 has 11 digits: 2867.2 * 2^-12 needs
    // k = 11; then 0.7 * 2^11 = 1433.6 = 1434 * 2^0, and 96 * 0.7 * 2^11 = 137625.6.
    expect(bias).toEqual(Int32Array.of(0));
    expect(requant).toEqual({
      kind: 'stages',
      stages: [
        { kind: 'saturate', bits: 20 },
        { kind: 'multiply', factor: Int32Array.of(1434) },
        { kind: 'shift', shift: Int8Array.of(0), rule: 'floor' },
        { kind: 'add', value: BigInt64Array.of(137626n) },
        { kind: 'multiply', factor: Int32Array.of(64) },
        { kind: 'shift', shift: Int8Array.of(17), rule: 'halfAway' },
      ],
    });
  });

  test('a bias register with a shift of its own, or the least that holds all channels', () => {
    const aligned = (bias: object) =>
      conv({ id: 'npu@1', extends: 'tflm', arithmetic: { bias } }, Int32Array.of(1000)).bias;
    // 1000 / 2^3 = 125
    expect(aligned({ bits: 8, shift: 'least', overflow: 'refuse' })).toEqual(Int32Array.of(1000));
    // 1000 / 2^7 = 7.8: 8
    expect(aligned({ bits: 8, shift: 7, overflow: 'refuse' })).toEqual(Int32Array.of(1024));
    expect(aligned({ bits: 8, shift: 7, overflow: 'refuse', rule: 'floor' })).toEqual(
      Int32Array.of(896),
    );
    expect(() => aligned({ bits: 8, shift: 2, overflow: 'refuse' })).toThrow(
      /channel 0: the bias 1000 does not fit 8 bits shifted left by 2/,
    );
  });
});
