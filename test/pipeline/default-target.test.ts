// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../src/errors.js';
import type { QuantGraph, QuantValue } from '../../src/graph/quant-graph.js';
import { chooseTarget, programOf } from '../../src/pipeline/choose-program.js';
import { lower } from '../../src/program/lower.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

type Origin = QuantGraph['origin'];

function graph(
  origin: Origin,
  dtype: QuantValue['dtype'],
  weight: Partial<ReturnType<typeof convNode>['weight']> = {},
): QuantGraph {
  const bits = dtype === 's16' ? 16 : 8;
  const values = ['x', 'y'].map((name) => value(name, [1, 1, 1, 1], { dtype, bits }));
  const layer = convNode(1, 1);
  const made = graphOf(values, [{ ...layer, weight: { ...layer.weight, ...weight } }]);
  return { ...made, origin, metadata: {} };
}

const u8 = { dtype: 'u8', data: Uint8Array.of(1), zeroPoints: Int32Array.of(3) } as const;

test.each<[string, QuantGraph, string]>([
  ['int8 TFLite', graph('tflite', 's8'), 'tflm'],
  ['legacy uint8 TFLite', graph('tflite', 'u8', u8), 'litert-u8'],
  ['int8 TFLite with weight zero points', graph('tflite', 's8', u8), 'litert-ref'],
  ['16x8 TFLite', graph('tflite', 's16'), 'tflm'],
  ['QDQ', graph('qdq', 'u8'), 'onnxruntime'],
  ['QDQ with 4-bit weights', graph('qdq', 's8', { bits: 4 }), 'tflm'],
  ['QDQ with 4-bit weights, uint8', graph('qdq', 'u8', { bits: 4 }), 'litert-ref'],
  ['QDQ 16x8', graph('qdq', 's16'), 'tflm'],
  ['QOperator', graph('qop', 'u8', u8), 'onnxruntime'],
  ['of lastbit, uint8', graph('lastbit', 'u8'), 'litert-ref'],
])('%s: the first target that has a form for it', (_, quantGraph, expected) => {
  const target = chooseTarget(quantGraph, undefined);
  expect(target.id.split('@')[0]).toBe(expected);
  const program = programOf({ kind: 'quantized', file: 'net', quantGraph });
  expect(program).toEqual(lower(quantGraph, target));
});

test('the target of the metadata comes first, unless it refuses the file', () => {
  const named = (target: string, dtype: 's8' | 'u8'): QuantGraph => ({
    ...graph('lastbit', dtype),
    metadata: { target },
  });
  expect(chooseTarget(named('litert-ref@2.3.0', 's8'), undefined).id).toBe('litert-ref@2.3.0');
  expect(chooseTarget(named('tflm@2026.10', 'u8'), undefined).id).toBe('litert-ref@2.3.0');
});

test('what no target takes: what the two nearest miss, in at most 600 characters', () => {
  const name = 'x'.repeat(900);
  const wide = value('y', [1, 1, 1, 1], { dtype: 's8', scale: Infinity });
  const values = [value(name, [1, 1, 1, 1], { dtype: 'u8' }), wide];
  const none: QuantGraph = {
    ...graphOf(values, [convNode(1, 1, { inputs: [name] }, [0])]),
    origin: 'qdq',
    metadata: {},
  };
  let message = '';
  try {
    chooseTarget(none, undefined);
  } catch (error) {
    if (error instanceof ModelError) message = error.message;
  }
  expect(message).toMatch(/^\[target-constraint\] no default target: .*has scale Infinity/);
  expect(message.match(/@[0-9.]+:/g)).toHaveLength(2);
  expect(message.length).toBeLessThanOrEqual(600);
  expect(message).not.toContain(name);
});
