// SPDX-License-Identifier: Apache-2.0
// Each rule on every code of a type: ties of both signs, saturation at both ends.
import { fixedRules } from '../../src/numeric/requant.js';
import { floatRules, roundRules } from '../../src/numeric/round.js';
import type { Requant } from '../../src/program/program.js';
import { compareInOnnxruntime } from './in-onnxruntime.js';
import { layersOf, plain, type Layer } from './small-programs.js';

const image = { dtype: 's8', height: 16, width: 16, channels: 1, zeroPoint: 0 } as const;
const codes = Int8Array.from({ length: 256 }, (_, i) => i - 128);

async function expectEqual(layers: readonly Layer[]): Promise<void> {
  const { compared, differing } = await compareInOnnxruntime(layersOf(image, layers), [codes]);
  expect(differing).toEqual([]);
  expect(compared).toBeGreaterThan(512 * layers.length);
}

const named = (requants: readonly Requant[], given: Omit<Layer, 'name'> = {}): readonly Layer[] =>
  requants.map((requant, i) => ({ zeroPoint: -3, ...given, name: `layer${i}`, requant }));

/** Two channels that are shifted differently, the first perhaps not at all. */
const two = { bias: Int32Array.of(0, 1), weights: Int8Array.of(3, -1) };

test('fixed: every rule, multipliers of a half and odd ones, shifts around 31', async () => {
  const requants = fixedRules.flatMap((rule) =>
    [
      [2 ** 30, 31],
      [2 ** 30, 33],
      [2 ** 31 - 1, 32],
      [5, 2],
      [2 ** 30, 62],
      [0, 40],
    ].map(([m, s]): Requant => {
      return { kind: 'fixed', rule, multiplier: Int32Array.of(m!), shift: Uint8Array.of(s!) };
    }),
  );
  await expectEqual(named(requants));
});

test('fixed: shifts on both sides of 31 in one layer', async () => {
  const multiplier = Int32Array.of(2 ** 30, 2 ** 30 + 1);
  const shift = Uint8Array.of(31, 34);
  const requants = fixedRules.map((rule): Requant => ({ kind: 'fixed', rule, multiplier, shift }));
  await expectEqual(named(requants, two));
});

test('fixed: accumulators of 32 bits at their ends', async () => {
  const requants = fixedRules.map((rule): Requant => {
    return {
      kind: 'fixed',
      rule,
      multiplier: Int32Array.of(2 ** 31 - 1),
      shift: Uint8Array.of(62),
    };
  });
  const ends = [-(2 ** 31), 2 ** 31 - 1 - 3 * 128];
  await expectEqual(named(requants, { bias: Int32Array.from(ends), weights: Int8Array.of(0, 3) }));
});

test('shift: every rule, right, left and not at all, channel by channel', async () => {
  const requants = roundRules.flatMap((rule) =>
    [
      [1, 3],
      [0, 2],
      [-2, 4],
      [-31, -1],
      [62, 1],
    ].map((shift): Requant => ({ kind: 'shift', rule, shift: Int8Array.from(shift) })),
  );
  await expectEqual(named(requants, two));
});

test('floats: every rule, ties, the float below a half, infinities', async () => {
  const scales = [0.25, 0.5, 1 / 3, 0.1, 3e38, 1e-38, Math.fround(0.49999997 / 3)];
  const requants = scales.flatMap((s): Requant[] => [
    { kind: 'f32', scale: Float32Array.of(s) },
    ...floatRules.map((rule) => ({ kind: 'f32Rule', scale: Float32Array.of(s), rule }) as const),
    { kind: 'f64', scale: Float64Array.of(s) },
    { kind: 'f64', scale: Float64Array.of(0.49999999999999994 / 3) },
  ]);
  await expectEqual(named(requants));
});

test('stages: shifts, segments and thresholds', async () => {
  const stages = roundRules.flatMap((rule): Requant[] => [
    {
      kind: 'stages',
      stages: [
        { kind: 'multiply', factor: Int32Array.of(-7) },
        { kind: 'add', value: BigInt64Array.of(1n) },
        { kind: 'shift', shift: Int8Array.of(3), rule },
        { kind: 'saturate', bits: 7 },
      ],
    },
    {
      kind: 'stages',
      stages: [
        {
          kind: 'segments',
          start: BigInt64Array.of(-100n, 0n, 200n),
          multiplier: Int32Array.of(-1, 3, 0),
          shift: Uint8Array.of(2, 3, 0),
          offset: BigInt64Array.of(7n, 0n, -5n),
          rule,
        },
      ],
    },
  ]);
  const thresholds = [true, false].map((strict): Requant => {
    const values = BigInt64Array.of(-384n, -3n, -3n, 0n, 381n);
    return { kind: 'stages', stages: [{ kind: 'thresholds', count: 5, values, strict }] };
  });
  await expectEqual(named([...stages, ...thresholds]));
});

test('thresholds of each channel', async () => {
  const values = BigInt64Array.of(-100n, 0n, 3n, -7n, -7n, 90n);
  const requant = {
    kind: 'stages',
    stages: [{ kind: 'thresholds', count: 3, values, strict: false }],
  };
  await expectEqual(named([requant as Requant], two));
});

test('accumulators that wrap, at the end or each time, or saturate at the end', async () => {
  const bias = Int32Array.of(2 ** 31 - 1, -(2 ** 31));
  const requant: Requant = { kind: 'shift', shift: Int8Array.of(10), rule: 'floor' };
  const layers = [
    { overflow: 'wrap', when: 'end' },
    { overflow: 'wrap', when: 'each' },
    { overflow: 'saturate', when: 'end' },
    { overflow: 'saturateSymmetric', when: 'end' },
  ].flatMap((given, n) =>
    [16, 17, 32].map((bits): Layer => {
      const accumulator = { ...plain, ...given, bits } as typeof plain;
      const weights = Int8Array.of(127, -128);
      return { name: `layer${n}_${bits}`, dtype: 's16', accumulator, requant, bias, weights };
    }),
  );
  await expectEqual(layers);
});
