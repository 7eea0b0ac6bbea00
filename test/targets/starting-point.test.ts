// SPDX-License-Identifier: Apache-2.0
// Files that a target of one's own begins with, and the JSON Schema that editors check them by.
import Ajv from 'ajv/dist/2020.js';

import { allTargets, findTarget } from '../../src/targets/index.js';
import { startingPoint } from '../../src/targets/starting-point.js';
import { parseUserTarget, targetJsonSchema } from '../../src/targets/user-target.js';

const isValid = new Ajv().compile(targetJsonSchema());
const errorsOf = (value: unknown) =>
  isValid(JSON.parse(JSON.stringify(value))) ? [] : isValid.errors;
const parse = (content: object) => parseUserTarget(JSON.stringify(content), 'npu.json');

describe.each(allTargets.map((target) => [target.id, target] as const))('%s', (_, target) => {
  const started = startingPoint(target, 'npu@1', './npu.schema.json');

  test('its copy is a target with the same arithmetic', () => {
    const { constraints, arithmetic, limits } = parse(started);
    expect(JSON.parse(JSON.stringify({ constraints, arithmetic, limits }))).toEqual(
      JSON.parse(
        JSON.stringify({
          constraints: target.constraints,
          arithmetic: target.arithmetic,
          limits: target.limits,
        }),
      ),
    );
  });

  test('both pass the schema', () => {
    const { constraints, arithmetic } = target;
    expect(errorsOf(started)).toEqual([]);
    expect(errorsOf({ id: 'npu@1', constraints, arithmetic })).toEqual([]);
    expect(errorsOf({ id: 'npu@1', extends: target.id })).toEqual([]);
  });
});

test('each part says what its keys mean', () => {
  const { constraints, arithmetic } = startingPoint(findTarget('tflm'), 'npu@1', 's') as {
    constraints: { description: string };
    arithmetic: { code: { description: string }; accumulator: { description: string } };
  };
  for (const key of Object.keys(findTarget('pow2').constraints)) {
    expect(constraints.description).toContain(`${key}: `);
  }
  expect(arithmetic.code.description).toMatch(/^how the sum .*; rule: .*halfEven/);
  expect(arithmetic.accumulator.description).toContain('overflow: ');
});

test.each([
  ['an unknown key', { id: 'npu@1', extends: 'tflm', arithmetic: { rounding: 'up' } }],
  ['an unknown rule', { id: 'npu@1', extends: 'tflm', arithmetic: { clampRounding: 'up' } }],
  ['a description that is no text', { id: 'npu@1', extends: 'tflm', description: 3 }],
])('the schema and the parser refuse %s', (_, content) => {
  expect(errorsOf(content)).not.toEqual([]);
  expect(() => parse(content)).toThrow('[bad-target]');
});

describe('what is inherited', () => {
  const halfAway = { code: { kind: 'pow2', rule: 'halfAway' } };

  test('is named, with the steps that keep another rounding', () => {
    const { inherited } = parse({ id: 'npu@1', extends: 'pow2', arithmetic: halfAway });
    expect(inherited!.from).toBe('pow2@1');
    expect(inherited!.keys).toEqual(expect.arrayContaining(['constraints', 'arithmetic.add']));
    expect(inherited!.keys).not.toContain('arithmetic.code');
    expect(inherited!.otherRounding).toEqual([
      { step: 'add', rules: ['halfUp'] },
      { step: 'averagePool', rules: ['halfUp'] },
      { step: 'globalPool', rules: ['halfUp'] },
    ]);
  });

  test('a step that is given, or that rounds alike, is not', () => {
    const add = { kind: 'pow2', rule: 'halfAway' };
    const own = parse({ id: 'npu@1', extends: 'pow2', arithmetic: { ...halfAway, add } });
    expect(own.inherited!.otherRounding.map(({ step }) => step)).toEqual([
      'averagePool',
      'globalPool',
    ]);
    const withoutRule = parse({ id: 'npu@1', extends: 'pow2', arithmetic: { add } });
    expect(withoutRule.inherited!.otherRounding).toEqual([]);
  });

  test('nothing without `extends`', () => {
    const { constraints, arithmetic } = findTarget('tflm');
    expect(parse({ id: 'npu@1', constraints, arithmetic }).inherited).toBeUndefined();
  });
});
