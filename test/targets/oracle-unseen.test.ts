// SPDX-License-Identifier: Apache-2.0
// Networks of the kinds that converters write (test/oracles/net_models.py): MobileNetV3, EdgeTPU,
// channels split and joined, computed shapes, 4-bit weights. Every activation of 20 images, by hash.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { encode } from '../../src/program/encode.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { importTflite } from '../../src/tflite/import.js';
import { seededBytes } from '../oracles/inputs.cjs';

interface Golden {
  readonly cases: Readonly<
    Record<
      string,
      {
        readonly offset: number;
        readonly length: number;
        readonly images: number;
        readonly agreed: Readonly<Record<string, string>>;
        readonly runtimes: Readonly<Record<string, Readonly<Record<string, string>>>>;
        readonly refused?: Readonly<Record<string, string>>;
      }
    >
  >;
}

const folder = join(__dirname, '../golden/nets');
const models = readFileSync(join(folder, 'models.bin'));
const { cases } = JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8')) as Golden;

const targets: Readonly<Record<string, string>> = {
  'litert-ref': 'tflite-ref',
  'litert-builtin': 'tflite-builtin',
  'litert-xnnpack': 'xnnpack',
  tflm: 'tflm',
};

const bytesOf = ({ buffer, byteOffset, byteLength }: Codes) =>
  new Uint8Array(buffer, byteOffset, byteLength);

function load(name: string) {
  const { offset, length } = cases[name]!;
  return importTflite(models.subarray(offset, offset + length), name);
}

/** Tensors whose codes over all images are not the runtime's. */
function wrongTensors(name: string, runtime: string, target = targets[runtime]!): string[] {
  const { images, agreed, runtimes } = cases[name]!;
  const expected = new Map(Object.entries({ ...agreed, ...runtimes[runtime] }));
  const program = lower(load(name), findTarget(target));
  const input = program.tensors[program.input]!;
  const engine = Engine.load(program);
  const hashes = new Map([...expected.keys()].map((key) => [key, createHash('sha256')]));
  const compared = new Set<string>();
  for (let i = 0; i < images; ++i) {
    const bytes = seededBytes(`${name}/image${i}`, input.height * input.width * input.channels);
    const codes = input.dtype === 's8' ? new Int8Array(bytes) : new Uint8Array(bytes);
    for (const [key, { data }] of engine.runSync(codes, { taps: 'all' }).taps) {
      const hash = hashes.get(key);
      if (hash === undefined) continue;
      hash.update(bytesOf(data));
      compared.add(key);
    }
  }
  engine.close();
  // Shape computations and flattened images have no tensor.
  expect(compared.size).toBeGreaterThan(0.7 * expected.size);
  return [...compared].filter((key) => hashes.get(key)!.digest('hex') !== expected.get(key));
}

const pairs = Object.entries(cases).flatMap(([name, { runtimes }]) =>
  Object.keys(runtimes).map((runtime) => [name, runtime] as const),
);
/** XNNPACK's kernels of 4-bit weights are not a profile of ours: refused. */
const isRefused = ([name, runtime]: readonly [string, string]) =>
  name.endsWith('-s4') && runtime === 'litert-xnnpack';

describe('unseen kinds of networks', () => {
  test.each(pairs.filter((pair) => !isRefused(pair)))('%s under %s', (name, runtime) => {
    expect(wrongTensors(name, runtime)).toEqual([]);
  });

  test.each(pairs.filter(isRefused))('%s under %s is refused', (name, runtime) => {
    expect(() => wrongTensors(name, runtime)).toThrow(/target-constraint.*weights of 4 bits/);
  });

  test("another runtime's rules do not match", () => {
    expect(wrongTensors('v3-s8', 'litert-ref', 'xnnpack').length).toBeGreaterThan(10);
  });

  test.each(Object.keys(cases))('%s through a QDQ file is the same program', (name) => {
    const graph = load(name);
    const again = importQuantized(readOnnx(writeQdq(graph)));
    const [direct, through] = [graph, again].map((g) => lower(g, findTarget('tflite-ref')));
    expect(Buffer.compare(encode(direct!), encode(through!))).toBe(0);
  });
});
