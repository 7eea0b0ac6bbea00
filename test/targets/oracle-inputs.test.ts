// SPDX-License-Identifier: Apache-2.0
// Codes of float32 inputs near and on ties, as each TFLite runtime makes them
// (test/oracles/input_goldens.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantizeInput } from '../../src/program/input.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { graphOf, value } from '../program/quant-graphs.js';

interface Case {
  readonly dtype: 'u8' | 's8' | 's16';
  readonly scale: number;
  readonly zeroPoint: number;
  readonly reals: string;
  readonly results: Readonly<Record<string, string>>;
}

const { cases } = JSON.parse(
  readFileSync(join(__dirname, '../golden/litert/inputs.json'), 'utf8'),
) as { readonly cases: readonly Case[] };

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

test.each([
  ['litert-ref', 'tflite-ref'],
  ['litert-builtin', 'tflite-builtin'],
  ['litert-xnnpack', 'xnnpack'],
  ['tflm', 'tflm'],
])('%s: the input codes of %s', (runtime, profile) => {
  let values = 0;
  for (const { dtype, scale, zeroPoint, reals, results } of cases) {
    const expected = results[runtime];
    // XNNPACK has no 16-bit layers; TFLite Micro no unsigned ones.
    if (expected === undefined || (profile === 'xnnpack' && dtype === 's16')) continue;
    if (profile === 'tflm' && dtype === 'u8') continue;
    const image = new Float32Array(bytes(reals).buffer);
    const shape = [1, image.length, 1, 1];
    const facts = { dtype, scale, zeroPoint };
    const graph = graphOf(
      [value('x', shape, facts), value('y', shape, facts)],
      [
        {
          op: 'MaxPool',
          name: 'y',
          inputs: ['x'],
          output: 'y',
          kernel: [1, 1],
          strides: [1, 1],
          pads: [0, 0, 0, 0],
          countIncludePad: false,
        },
      ],
    );
    const codes = quantizeInput(lower(graph, findTarget(profile)), image);
    const got = new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength);
    expect([dtype, scale, Buffer.from(got).equals(bytes(expected))]).toEqual([dtype, scale, true]);
    values += codes.length;
  }
  expect(values).toBeGreaterThanOrEqual(4000);
});
