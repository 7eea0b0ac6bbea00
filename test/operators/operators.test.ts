// SPDX-License-Identifier: Apache-2.0
// OPERATORS.md equals the importers' registries, and leaves none of their operators out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { evaluators } from '../../src/onnx/float/ops/constants.js';
import { operators as floatOnnx } from '../../src/onnx/float/ops/index.js';
import { integerOperators, operators as quantized } from '../../src/onnx/quantized/ops/index.js';
import { floatOperators } from '../../src/tflite/float/ops.js';
import { operators as tflite } from '../../src/tflite/ops/index.js';
import { kinds, operatorsPage } from './page.cjs';

const registries = {
  floatOnnx: new Set(floatOnnx.keys()),
  constants: new Set(evaluators.keys()),
  qdq: new Set(quantized.keys()),
  qOperator: new Set(integerOperators.keys()),
  floatTflite: new Set(floatOperators.keys()),
  tflite: new Set(tflite.keys()),
};

test('the page is what node test/operators/page.cjs writes', () => {
  const page = readFileSync(join(__dirname, '../../OPERATORS.md'), 'utf8');
  expect(page).toBe(operatorsPage(registries));
});

test('every operator of a registry is in a row, and in one only', () => {
  const listed = kinds.flatMap(([, ...lists]) => lists.flatMap((list) => list.split(' ')));
  const named = listed.filter((name) => name !== '');
  expect(named.length).toBe(new Set(named).size);
  const { constants, ...imported } = registries;
  const missing = Object.values(imported)
    .flatMap((names) => [...names])
    .filter((name) => !named.includes(name));
  expect(missing).toEqual([]);
  expect(constants.size).toBeGreaterThan(20);
});
