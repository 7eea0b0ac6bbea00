// SPDX-License-Identifier: Apache-2.0
import { recipeOf } from '../../src/program/lower/recipe.js';
import { findTarget } from '../../src/targets/index.js';
import type { Recipe, RecipeKind, ScaleCode, TargetSpec } from '../../src/targets/target.js';
import { differing, type Runtime, tieCases, type TieCase } from './ties.js';

const profiles: Readonly<Record<Runtime, string>> = {
  'litert-ref': 'tflite-ref',
  'litert-builtin': 'tflite-builtin',
  'litert-xnnpack': 'xnnpack',
  tflm: 'tflm',
};
const runtimes = Object.keys(profiles) as Runtime[];
const cases = tieCases();

/** TFLite Micro's RELU6 ignores that its output has another scale; no converter writes that. */
const ignoresScale = 'relu6-s8-dyadic';

describe('ties: every operator is exactly what the runtime computes', () => {
  test.each(runtimes)('%s', (runtime) => {
    const target = findTarget(profiles[runtime]);
    const wrong: string[] = [];
    let values = 0;
    for (const tie of cases) {
      const expected = tie.expected.get(runtime);
      if (expected === undefined) continue;
      const count = differing(tie, target, expected);
      if (runtime === 'tflm' && tie.name === ignoresScale) expect(count).toBe(expected.length);
      else if (count > 0) wrong.push(`${tie.name}: ${count} of ${expected.length}`);
      else values += expected.length;
    }
    expect(wrong).toEqual([]);
    expect(values).toBeGreaterThan(runtime === 'tflm' ? 90_000 : 190_000);
  });

  test('TFLite Micro has no uint8 layers; every other runtime ran every case', () => {
    for (const { name, expected } of cases) {
      for (const runtime of runtimes.slice(0, 3)) expect([...expected.keys()]).toContain(runtime);
      if (/^(conv|depthwise|fully_connected|add|mean)-u8/.test(name)) {
        expect(expected.has('tflm')).toBe(false);
      }
    }
  });
});

const codes: readonly ScaleCode[] = [
  { kind: 'q31', rule: 'gemmlowp2' },
  { kind: 'q31', rule: 'ruyx86' },
  { kind: 'q31', rule: 'halfUp' },
  { kind: 'q31', rule: 'halfAway' },
  { kind: 'q31', rule: 'halfEven' },
  { kind: 'q31', rule: 'floor' },
  { kind: 'f32bits', rule: 'halfUp' },
  { kind: 'f32' },
];

const kinds: readonly (readonly [RecipeKind | 'conv', RegExp])[] = [
  ['conv', /^conv-/],
  ['depthwise', /^depthwise-/],
  ['fullyConnected', /^fully_connected-s8-channel/],
  ['fullyConnectedPerTensor', /^fully_connected-(u8|s8-(?!channel))/],
  ['mul', /^mul-/],
];

/** The target with one recipe for all layers. */
function uniform(target: TargetSpec, recipe: Recipe): TargetSpec {
  const { arithmetic } = target;
  return { ...target, arithmetic: { ...arithmetic, ...recipe, kinds: {}, u8: {} } };
}

describe('ties: each rounding rule but the claimed one is told apart', () => {
  test.each(runtimes)('%s', (runtime) => {
    const target = findTarget(profiles[runtime]);
    const alike: string[] = [];
    for (const [kind, pattern] of kinds) {
      for (const dtype of ['s8', 'u8']) {
        const own = cases.filter(
          ({ name, expected }) =>
            pattern.test(name) &&
            name.includes(`-${dtype}`) &&
            /dyadic|near|above/.test(name) &&
            expected.has(runtime),
        );
        if (own.length === 0) continue;
        const claimed = recipeOf(target.arithmetic, kind, dtype);
        const total = (recipe: Recipe) =>
          own.reduce(
            (sum, tie) => sum + differing(tie, uniform(target, recipe), expectedOf(tie, runtime)),
            0,
          );
        expect({ runtime, kind, dtype, differing: total(claimed) }).toMatchObject({ differing: 0 });
        for (const code of codes) {
          if (JSON.stringify(code) === JSON.stringify(claimed.code)) continue;
          if (total({ ...claimed, code }) === 0)
            alike.push([kind, dtype, ...Object.values(code)].join(' '));
        }
      }
    }
    expect(alike).toEqual([]);
  });

  test('of ADD, MEAN and QUANTIZE too', () => {
    const ref = findTarget('tflite-ref');
    const { arithmetic } = ref;
    const others: readonly (readonly [RegExp, Partial<TargetSpec['arithmetic']>])[] = [
      [/^add-/, { add: { kind: 'rescaled', leftShift: 20, rule: 'halfUp' } }],
      [/^add-/, { add: { kind: 'aligned', bits: 21, rule: 'halfUp' } }],
      [/^mean-/, { globalPool: { kind: 'mean', rule: 'halfUp' } }],
      [/^mean-/, { globalPool: { kind: 'f32' } }],
      [/^average-s8/, { averagePool: { kind: 'divide', s8: 'halfUp', u8: 'halfUp' } }],
      [/^average-s8/, { averagePool: { kind: 'divide', s8: 'trunc0', u8: 'trunc0' } }],
      [/^quantize-/, { code: { kind: 'q31', rule: 'halfUp' } }],
      [/^quantize-/, { code: { kind: 'q31', rule: 'ruyx86' } }],
    ];
    for (const [pattern, change] of others) {
      const target = { ...ref, arithmetic: { ...arithmetic, ...change } };
      const own = cases.filter(({ name }) => pattern.test(name));
      const counts = own.map((tie) => differing(tie, target, expectedOf(tie, 'litert-ref')));
      expect(Math.max(...counts)).toBeGreaterThan(0);
    }
  });

  test('no two runtimes are one', () => {
    for (const a of runtimes) {
      for (const b of runtimes) {
        const parts = cases.some(
          ({ expected }) =>
            expected.has(a) &&
            expected.has(b) &&
            Buffer.compare(expected.get(a)!, expected.get(b)!) !== 0,
        );
        expect(parts).toBe(a !== b);
      }
    }
  });
});

function expectedOf({ expected }: TieCase, runtime: Runtime): Uint8Array {
  return expected.get(runtime)!;
}
