// SPDX-License-Identifier: Apache-2.0
import type { QuantGlobalPool, QuantMetadata } from '../../src/graph/quant-graph.js';
import {
  type FileFacts,
  formatFacts,
  marksOf,
  parseFacts,
  withMarks,
} from '../../src/graph/file-facts.js';

const pool: QuantGlobalPool = { op: 'GlobalAveragePool', name: 'mean', inputs: ['x'], output: 'y' };

function factsOf(
  metadata: QuantMetadata,
  {
    marks = marksOf([]),
    clamps = new Map(),
    layerNames = new Map(),
    paddings = new Set(),
  }: Partial<FileFacts> = {},
): FileFacts {
  const [none, empty] = [new Set<string>(), new Map<string, number>()];
  return {
    metadata,
    origin: 'tflite',
    activationBits: empty,
    weightBits: empty,
    fullyConnected: none,
    singleZero: none,
    clamps,
    marks,
    layerNames,
    paddings,
  };
}

test('every key has its place and its text, and comes back', () => {
  const channelFactors = new Map([['a', Float32Array.of(1, 2.5)]]);
  const metadata = { target: 'tflm@2.17', version: '1', channelFactors };
  const clamps = new Map([['c', { lo: Float32Array.of(0), hi: Float32Array.of(Infinity) }]]);
  const marks = marksOf([{ ...pool, rowMean: true, floatKernel: true }]);
  const layerNames = new Map([['y', 'mean']]);
  const paddings = new Set(['x/padded']);
  const facts = factsOf(metadata, { marks, clamps, layerNames, paddings });
  const entries = formatFacts(facts);
  expect([...entries]).toEqual([
    ['lastbit.target', 'tflm@2.17'],
    ['lastbit.version', '1'],
    ['lastbit.channelFactors', '{"a":"AACAPwAAIEA="}'],
    ['lastbit.floatLayers', '["mean"]'],
    ['lastbit.rowMeans', '["mean"]'],
    ['lastbit.origin', 'tflite'],
    ['lastbit.clamps', '{"c":[[0],[null]]}'],
    ['lastbit.layer_names', '{"y":"mean"}'],
    ['lastbit.paddings', '["x/padded"]'],
  ]);
  expect(parseFacts(entries)).toEqual(facts);
});

test('a mark goes to layers of its kind alone', () => {
  const marks = marksOf([{ ...pool, rowMean: true }]);
  expect(withMarks(pool, marks)).toEqual({ ...pool, rowMean: true });
  expect(withMarks({ ...pool, op: 'Reshape' }, marks)).not.toHaveProperty('rowMean');
  expect(withMarks({ ...pool, name: 'other' }, marks)).not.toHaveProperty('rowMean');
});

test.each([
  ['rowMeans', '{"mean": 1}'],
  ['floatLayers', '["mean"'],
  ['oneChannelDepthwise', '[1]'],
  ['layer_names', '{"y": 1}'],
  ['layer_names', '["y"]'],
  ['paddings', '{"y": 1}'],
  ['channelFactors', '{"a": 3}'],
  ['channelFactors', '{"a": "AACAPw"}'],
  ['channelFactors', '[]'],
])('a damaged %s is refused: %s', (key, text) => {
  const expected = new RegExp(
    `\\[bad-metadata\\] metadata "lastbit.${key}": expected .*JSON|base64`,
  );
  expect(() => parseFacts(new Map([[`lastbit.${key}`, text]]))).toThrow(expected);
});
