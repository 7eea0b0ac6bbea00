// SPDX-License-Identifier: Apache-2.0
// The dyadic-tie suite: small files, their inputs, and what real runtimes computed
// (test/oracles/tie_goldens.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { Engine } from '../../src/engine/engine.js';
import type { QuantGraph } from '../../src/graph/quant-graph.js';
import { lower } from '../../src/program/lower.js';
import type { TargetSpec } from '../../src/targets/target.js';
import { importTflite } from '../../src/tflite/import.js';
import { seededBytes } from '../oracles/inputs.cjs';

export type Runtime = 'litert-ref' | 'litert-builtin' | 'litert-xnnpack' | 'tflm';

export interface TieCase {
  readonly name: string;
  /** The .tflite file. */
  readonly model: Uint8Array;
  readonly graph: QuantGraph;
  readonly inputs: readonly (Uint8Array | Int8Array)[];
  /** Codes of all images, as bytes. */
  readonly expected: ReadonlyMap<Runtime, Uint8Array>;
}

interface Goldens {
  readonly cases: Readonly<
    Record<
      string,
      {
        readonly offset: number;
        readonly length: number;
        readonly images: number;
        readonly results: readonly {
          readonly runtimes: readonly Runtime[];
          readonly codes: string;
        }[];
      }
    >
  >;
}

const folder = join(__dirname, '../golden/ties');

export function tieCases(): readonly TieCase[] {
  const models = readFileSync(join(folder, 'models.bin'));
  const { cases } = JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8')) as Goldens;
  return Object.entries(cases).map(([name, { offset, length, images, results }]) => {
    const model = models.subarray(offset, offset + length);
    const graph = importTflite(model, name);
    const { shape, dtype } = graph.values.get(graph.input)!;
    const size = shape.reduce((product, n) => product * n, 1);
    const inputs = Array.from({ length: images }, (_, i) => {
      const bytes = seededBytes(`${name}/image${i}`, size);
      return dtype === 's8' ? new Int8Array(bytes) : new Uint8Array(bytes);
    });
    const expected = new Map<Runtime, Uint8Array>();
    for (const { runtimes, codes } of results) {
      const bytes = new Uint8Array(inflateSync(Buffer.from(codes, 'base64')));
      for (const runtime of runtimes) expected.set(runtime, bytes);
    }
    return { name, model, graph, inputs, expected };
  });
}

/** How many of a case's codes differ between the engine under `target` and what was expected. */
export function differing({ graph, inputs }: TieCase, target: TargetSpec, expected: Uint8Array) {
  const engine = Engine.load(lower(graph, target));
  let count = 0;
  inputs.forEach((codes, i) => {
    const { data } = engine.runSync(codes).outputs[0]!;
    const want = expected.subarray(i * data.length, (i + 1) * data.length);
    expect(want).toHaveLength(data.length);
    for (let j = 0; j < data.length; ++j) count += (data[j]! & 255) === want[j] ? 0 : 1;
  });
  engine.close();
  return count;
}
