// SPDX-License-Identifier: Apache-2.0
// Which products onnxruntime without VNNI saturates in pairs, and in which order: layers over
// flattened images, groups and channels of their own (test/oracles/ort_goldens.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';

interface Golden {
  readonly provenance: { readonly images: number };
  readonly cases: readonly {
    readonly name: string;
    readonly model: string;
    readonly inputs: string;
    readonly expected: string;
  }[];
}

const file = join(__dirname, '../golden/hardware/ort.json');
const { provenance, cases } = JSON.parse(readFileSync(file, 'utf8')) as Golden;

const decode = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

/** How many codes of all images the interpreter and the engine have otherwise than the runtime. */
function differing({ model, inputs, expected }: Golden['cases'][number], target: string) {
  const program = lower(importQuantized(readOnnx(decode(model))), findTarget(target));
  const engine = Engine.load(program);
  const [from, to] = [decode(inputs), decode(expected)];
  const [read, written] = [from, to].map((codes) => codes.length / provenance.images);
  let [interpreted, native] = [0, 0];
  for (let i = 0; i < provenance.images; ++i) {
    const image = from.subarray(i * read!, (i + 1) * read!);
    const want = to.subarray(i * written!, (i + 1) * written!);
    const count = (codes: ArrayLike<number>) => want.filter((code, k) => codes[k] !== code).length;
    interpreted += count(interpret(program, image).outputs[0]!.data);
    native += count(engine.runSync(image).outputs[0]!.data);
  }
  engine.close();
  return { interpreted, native };
}

test.each(cases.map((one) => [one.name, one] as const))('%s: every code', (_, one) => {
  expect(differing(one, 'onnxruntime-avx2')).toEqual({ interpreted: 0, native: 0 });
});

const exact = ['depthwise', 'one-channel'];

test.each(cases.filter(({ name }) => !exact.includes(name)).map((one) => [one.name, one] as const))(
  '%s: pairs saturate',
  (_, one) => {
    expect(differing(one, 'onnxruntime').native).toBeGreaterThan(5);
  },
);
