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
});
