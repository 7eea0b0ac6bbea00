// SPDX-License-Identifier: Apache-2.0
// Resizing and functions of one value in .tflite files, against LiteRT's resolvers and TFLite Micro
// (test/oracles/operator_models.py). By hash.
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import type { TargetSpec } from '../../src/targets/target.js';
import { importTflite } from '../../src/tflite/import.js';
import { writeTflite } from '../../src/tflite/write/write.js';
import { HashedCases, runtimeTargets } from './hashed-cases.js';

const operators = new HashedCases('operators');

test.each(Object.keys(runtimeTargets))('every code: %s', (runtime) => {
  expect(operators.wrong(runtime, findTarget(runtimeTargets[runtime]!))).toEqual([]);
  expect(operators.ranIn(runtime).length).toBeGreaterThan(runtime === 'tflm' ? 70 : 150);
});

test('what TFLite Micro refuses, its target refuses by name', () => {
  const refused = operators.names.filter((name) => !operators.ranIn('tflm').includes(name));
  expect(refused.length).toBeGreaterThan(50);
  for (const name of refused.filter((one) => one.startsWith('gelu-s8'))) {
    expect(() => lower(importTflite(operators.model(name), name), findTarget('tflm'))).toThrow(
      /node "y".*no exact form/s,
    );
  }
});

const changed = (runtime: string, change: Partial<TargetSpec['arithmetic']>): TargetSpec => {
  const target = findTarget(runtimeTargets[runtime]!);
  return { ...target, arithmetic: { ...target.arithmetic, ...change } };
};
const { unary } = findTarget('tflite-ref').arithmetic;
const integer = { kind: 'integer', bits: 10, rule: 'halfAway', steps: 'fixed10' } as const;

test.each([
  ['litert-ref', 'bilinear-s8', { resize: { s8: { ...integer, rule: 'halfUp' as const } } }],
  ['litert-ref', 'bilinear-s8', { resize: { s8: { ...integer, steps: 'f32' as const } } }],
  ['litert-builtin', 'bilinear-u8', { resize: { u8: integer } }],
  ['litert-builtin', 'bilinear-u8', { resize: { u8: { kind: 'f32Codes' as const } } }],
  ['litert-xnnpack', 'bilinear', { resize: { s8: integer, u8: integer } }],
  ['litert-ref', 'leaky', { unary: { ...unary, leakyRelu: 'f32HalfEven' as const } }],
  ['litert-ref', 'leaky', { unary: { ...unary, leakyRelu: 'xnnpack' as const } }],
])('%s, %s: another form differs', (runtime, pattern, change) => {
  const target = changed(runtime, change);
  expect(operators.wrong(runtime, target, new RegExp(`^${pattern}`)).length).toBeGreaterThan(2);
});

test('files that are read and written again say the same', () => {
  const target = findTarget('tflite-ref');
  for (const name of operators.names) {
    const graph = importTflite(operators.model(name), name);
    const again = importTflite(writeTflite(graph), name);
    expect(again.nodes.map(({ op }) => op)).toEqual(graph.nodes.map(({ op }) => op));
    const program = lower(graph, target);
    expect(lower(again, target).ops).toEqual(program.ops);
  }
});

test('the interpreter computes what the engine does', () => {
  const name = 'bilinear-u8-half-7x5x13x17';
  const program = lower(importTflite(operators.model(name), name), findTarget('tflite-builtin'));
  const codes = Uint8Array.from({ length: 7 * 5 * 16 }, (_, i) => (i * 37) % 256);
  const { data } = interpret(program, codes).outputs[0]!;
  expect(new Set(data).size).toBeGreaterThan(100);
});
