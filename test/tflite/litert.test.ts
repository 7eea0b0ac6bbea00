// SPDX-License-Identifier: Apache-2.0
// Every tensor of the VWW net against LiteRT 2.3.0 (goldens made by test/oracles/litert.py).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QuantGraph } from '../../src/graph/quant-graph.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { interpret, lower } from '../../src/program/index.js';
import { findTarget } from '../../src/targets/index.js';
import { importTflite } from '../../src/tflite/import.js';

interface Golden {
  readonly provenance: { readonly net: string; readonly netSha256: string };
  readonly seed: number;
  readonly cases: readonly {
    readonly scales: 'as-is' | 'dyadic';
    readonly resolver: string;
    readonly sha256: readonly string[];
  }[];
}

const data = process.env.LASTBIT_DATA;
const golden = JSON.parse(
  readFileSync(join(__dirname, '../golden/litert/vww.json'), 'utf8'),
) as Golden;
const targetOf: Readonly<Record<string, string>> = {
  reference: 'tflm',
  builtin: 'tflm',
  xnnpack: 'xnnpack',
};

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** As in the script: ties everywhere. */
function withDyadicScales(graph: QuantGraph): QuantGraph {
  const round = (scale: number) => 2 ** Math.round(Math.log2(scale));
  return {
    ...graph,
    values: new Map(
      [...graph.values].map(([name, v]) => [name, { ...v, scale: round(v.scale) }] as const),
    ),
    nodes: graph.nodes.map((node) =>
      node.op === 'Conv'
        ? { ...node, weight: { ...node.weight, scales: node.weight.scales.map(round) } }
        : node,
    ),
  };
}

function noise(count: number): Int8Array {
  let state = golden.seed;
  return Int8Array.from({ length: count }, () => {
    state = Number((BigInt(state) * 1103515245n + 12345n) % 2n ** 31n);
    return (((state >> 16) & 255) << 24) >> 24;
  });
}

const computed = new Map<string, readonly string[]>();

/** Hashes of all layers' outputs, in the file's order; the interpreter takes seconds, so once. */
function layerHashes(scales: string, target: string): readonly string[] {
  const key = `${scales} ${target}`;
  const hashes = computed.get(key) ?? runLayers(scales, target);
  computed.set(key, hashes);
  return hashes;
}

function runLayers(scales: string, target: string): readonly string[] {
  const graph = importTflite(readFileSync(join(data ?? '', golden.provenance.net)));
  const net = scales === 'dyadic' ? withDyadicScales(graph) : graph;
  // Through a QDQ file and back: that must not change a bit either.
  const again = importQuantized(readOnnx(writeQdq(net)));
  const program = lower(again, findTarget(target));
  const { taps } = interpret(program, noise(96 * 96 * 3), { taps: 'all' });
  return again.nodes.map(({ output }) => {
    const { buffer, byteOffset, byteLength } = taps.get(output)!.data;
    return sha256(new Uint8Array(buffer, byteOffset, byteLength));
  });
}

(data === undefined ? describe.skip : describe)(
  'VWW int8 against LiteRT 2.3.0, all tensors (skipped where LASTBIT_DATA is not set)',
  () => {
    test('the net is the one that the goldens were made with', () => {
      const bytes = readFileSync(join(data ?? '', golden.provenance.net));
      expect(sha256(bytes)).toBe(golden.provenance.netSha256);
    });

    test.each(golden.cases)('$scales scales, $resolver resolver', (expected) => {
      const hashes = layerHashes(expected.scales, targetOf[expected.resolver]!);
      expect(hashes).toEqual(expected.sha256);
    });

    test('the other rule does not match on ties', () => {
      const reference = golden.cases.find(
        ({ scales, resolver }) => scales === 'dyadic' && resolver === 'reference',
      )!;
      expect(layerHashes('dyadic', 'xnnpack')).not.toEqual(reference.sha256);
    });
  },
);
