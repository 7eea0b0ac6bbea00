// SPDX-License-Identifier: Apache-2.0
// Files that writeTflite makes: they come back as the graph, and real runtimes compute from them what
// lastbit does. LiteRT.js runs here; the others ran when test/golden/written.json was made
// (test/oracles/written_goldens.cjs), and its hashes say that these are the same files.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ModelError } from '../../src/errors.js';
import type { QuantConv, QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';
import { encode } from '../../src/program/encode.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { importTflite } from '../../src/tflite/import.js';
import { readTflite } from '../../src/tflite/reader.js';
import { writeTflite } from '../../src/tflite/write/write.js';
import { Dice, randomQuantGraph } from '../onnx/write/random-quant-graph.js';
import { withAllOutputs } from '../oracles/all-outputs.cjs';
import { LiteRtWasm } from '../oracles/litert-wasm.cjs';

const folder = join(__dirname, '../golden');
const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'));

const { suites } = read('written.json') as {
  readonly suites: Readonly<
    Record<
      string,
      {
        readonly sha256: string;
        readonly runtimes: Readonly<Record<string, { values: number; differing: number }>>;
      }
    >
  >;
};

/** The files of a suite that Python made, by case. */
function suite(name: string): readonly (readonly [string, Uint8Array])[] {
  const models = readFileSync(join(folder, name, 'models.bin'));
  const { cases } = read(`${name}/goldens.json`) as {
    readonly cases: Readonly<Record<string, { readonly offset: number; readonly length: number }>>;
  };
  return Object.entries(cases).map(
    ([key, { offset, length }]) => [key, models.subarray(offset, offset + length)] as const,
  );
}

/**
 * Absent biases, which LiteRT's convolutions refuse, come back as zeros, and one zero point for all
 * channels as one for each.
 */
function asWritten(node: QuantNode): QuantNode {
  if (node.op !== 'Conv') return node;
  const { weight, bias, fullyConnected } = node;
  const { scales, zeroPoints } = weight;
  const zeros = Int32Array.from(scales, (_, o) => zeroPoints[o] ?? zeroPoints[0]!);
  return {
    ...node,
    weight: { ...weight, zeroPoints: zeros },
    bias: fullyConnected ? bias : (bias ?? new Int32Array(weight.shape[0]!)),
  };
}

function expectSame(again: QuantGraph, graph: QuantGraph): void {
  const rest: { notes?: unknown } & QuantGraph = { ...graph, nodes: graph.nodes.map(asWritten) };
  delete rest.notes;
  if (!isDeepStrictEqual(again, rest)) expect(again).toEqual(rest);
}

describe.each(Object.keys(suites))('%s', (name) => {
  test('every file comes back as its graph, and is the one that the runtimes ran', () => {
    const all = createHash('sha256');
    for (const [key, file] of suite(name)) {
      const graph = importTflite(file, key);
      const written = writeTflite(graph);
      all.update(written);
      const again = importTflite(written, key);
      expectSame(again, graph);
      expect(Buffer.compare(writeTflite(again), written)).toBe(0);
    }
    expect(all.digest('hex')).toBe(suites[name]!.sha256);
  });

  test('no runtime computed another code', () => {
    const { runtimes } = suites[name]!;
    expect(Object.keys(runtimes).sort()).toEqual([
      'litert-builtin',
      'litert-ref',
      'litert-xnnpack',
      'tflm',
    ]);
    for (const { values, differing } of Object.values(runtimes)) {
      expect(differing).toBe(0);
      expect(values).toBeGreaterThan(100);
    }
  });
});

const image = (
  name: string,
  shape: readonly number[],
  more: Partial<QuantValue> = {},
): QuantValue => ({
  name,
  shape,
  dtype: 's8',
  bits: 8,
  scale: Math.fround(0.05),
  zeroPoint: -3,
  ...more,
});

/** Weights from a seed, 3 x 3, one scale per channel. */
function convolution(channels: number, outputs: number, more: Partial<QuantConv> = {}): QuantConv {
  const dice = new Dice(channels * 100 + outputs);
  const data = Int8Array.from({ length: 9 * channels * outputs }, () => dice.int(-127, 127));
  return {
    op: 'Conv',
    name: 'features.0/Conv',
    inputs: ['x'],
    output: 'y',
    kernel: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    dilations: [1, 1],
    group: 1,
    weight: {
      dtype: 's8',
      bits: 8,
      shape: [outputs, channels, 3, 3],
      data,
      scales: Float32Array.from({ length: outputs }, () => dice.scale() / 16),
      zeroPoints: new Int32Array(1),
    },
    bias: Int32Array.from({ length: outputs }, () => dice.int(-1000, 1000)),
    fullyConnected: false,
    ...more,
  };
}

function graphOf(nodes: readonly QuantNode[], values: readonly QuantValue[]): QuantGraph {
  return {
    name: 'net',
    input: values[0]!.name,
    outputs: [values.at(-1)!.name],
    values: new Map(values.map((value) => [value.name, value])),
    nodes,
    metadata: { target: 'tflm@2026.10', preprocess: 'torchvision' },
    origin: 'lastbit',
  };
}

const x = image('x', [1, 3, 8, 8]);
const y = image('y', [1, 5, 4, 4], { zeroPoint: -128 });
const clampOf = (lo: readonly number[], hi: readonly number[]) => ({
  lo: Float32Array.from(lo),
  hi: Float32Array.from(hi),
});

describe('what operators do not say', () => {
  test('the file carries target, preset and names of layers, and gives the same program', () => {
    const graph = graphOf([convolution(3, 5, { clamp: clampOf([0], [6]) })], [x, y]);
    const written = writeTflite(graph);
    const again = importTflite(written);
    expectSame(again, graph);
    for (const name of ['tflm', 'tflite-ref', 'xnnpack']) {
      const target = findTarget(name);
      expect(encode(lower(again, target))).toEqual(encode(lower(graph, target)));
    }
  });

  test('padding as PyTorch has it is a PAD in the file and none in the graph', () => {
    const graph = graphOf([convolution(3, 5)], [x, y]);
    const file = readTflite(writeTflite(graph));
    expect(file.operators.map(({ op }) => op)).toEqual(['PAD', 'CONV_2D']);
    expect(importTflite(writeTflite(graph)).nodes[0]).toMatchObject({ pads: [1, 1, 1, 1] });
  });

  test('padding that is SAME needs no PAD', () => {
    const graph = graphOf([convolution(3, 5, { pads: [0, 0, 1, 1] })], [x, y]);
    const { operators } = readTflite(writeTflite(graph));
    expect(operators.map(({ op }) => op)).toEqual(['CONV_2D']);
  });

  test('a clamp that saturation carries out comes back', () => {
    const clamp = clampOf([0, 0, 0, 0, 0], [20, 30, 15, 13, 99]);
    const graph = graphOf([convolution(3, 5, { clamp })], [x, y]);
    expect(importTflite(writeTflite(graph)).nodes[0]).toMatchObject({ clamp });
  });
});

describe('refusals', () => {
  const refused = (nodes: readonly QuantNode[], values: readonly QuantValue[]) => () =>
    writeTflite(graphOf(nodes, values));

  test('a clamp for each channel, by name and with a way out', () => {
    const clamp = clampOf([0, 0, 0, 0, 0], [6, 5, 4, 3, 2]);
    expect(refused([convolution(3, 5, { clamp })], [x, y])).toThrow(
      /\[unsupported-clamp\] layer "features\.0\/Conv": it has a clamp for each channel.*--target tflm/,
    );
  });

  test('a clamp that the schema has no activation for', () => {
    const clamp = clampOf([0], [5]);
    expect(refused([convolution(3, 5, { clamp })], [x, y])).toThrow(/clamp to \[0, 5\] is none of/);
  });

  test('u8 codes with s8 weights', () => {
    const bytes = [x, y].map((value) => ({ ...value, dtype: 'u8' as const, zeroPoint: 0 }));
    expect(refused([convolution(3, 5)], bytes)).toThrow(
      /\[unsupported-types\] layer "features\.0\/Conv": TFLite has no kernel for u8 codes with s8/,
    );
  });

  test('functions and scales that the operators do not have', () => {
    const unary = (op: 'HardSigmoid' | 'Sigmoid'): QuantNode => ({
      op,
      name: 'gate',
      inputs: ['x'],
      output: 'x2',
    });
    const x2 = image('x2', x.shape);
    expect(refused([unary('HardSigmoid')], [x, x2])).toThrow(/layer "gate": TFLite has no HardSig/);
    expect(refused([unary('Sigmoid')], [x, x2])).toThrow(/scale 0\.00390625 and zero point -128/);
  });

  test('narrow codes', () => {
    const narrow = image('y', y.shape, { bits: 7 });
    expect(refused([convolution(3, 5)], [x, narrow])).toThrow(/value "y".*7 bits/);
  });
});

test('any graph is written and comes back, or is refused by name', () => {
  const written = new Set<string>();
  for (let seed = 0; seed < 3000; ++seed) {
    const graph = randomQuantGraph(new Dice(seed));
    let bytes: Uint8Array;
    try {
      bytes = writeTflite(graph);
    } catch (error) {
      expect(error).toBeInstanceOf(ModelError);
      continue;
    }
    graph.nodes.forEach(({ op }) => written.add(op));
    expectSame(importTflite(bytes), graph);
  }
  expect(written.size).toBeGreaterThan(5);
});

describe('LiteRT.js runs the written files', () => {
  let runtime: LiteRtWasm;
  beforeAll(async () => {
    runtime = await LiteRtWasm.load();
  });

  /** Every activation of a file against the interpreter. */
  async function differences(graph: QuantGraph): Promise<{ values: number; differing: number }> {
    const program = lower(graph, findTarget('xnnpack'));
    const { height, width, channels, dtype } = program.tensors[program.input]!;
    const dice = new Dice(7);
    const bytes = Uint8Array.from({ length: height * width * channels }, () => dice.int(0, 255));
    const codes = dtype === 's8' ? new Int8Array(bytes.buffer) : bytes;
    const { taps } = interpret(program, codes, { taps: 'all' });
    const file = withAllOutputs(writeTflite(graph));
    let [values, differing] = [0, 0];
    for await (const outputs of runtime.run(file.bytes, [bytes])) {
      outputs.forEach((expected, i) => {
        const tap = taps.get(file.names[i]!);
        if (tap === undefined) return;
        values += expected.length;
        tap.data.forEach((code, k) => {
          differing += (code & 255) === expected[k] ? 0 : 1;
        });
      });
    }
    return { values, differing };
  }

  test('a convolution behind a PAD, with a clamp that metadata keep', async () => {
    const clamp = clampOf([0], [12.74]);
    const graph = graphOf([convolution(3, 5, { clamp })], [x, y]);
    expect(await differences(graph)).toEqual({ values: 80, differing: 0 });
  });

  test.each(['v3-s8', 'v3-u8', 'branches-s8', 'branches-u8'])('%s', async (name) => {
    const [, file] = suite('nets').find(([key]) => key === name)!;
    const { values, differing } = await differences(importTflite(file, name));
    expect(differing).toBe(0);
    expect(values).toBeGreaterThan(1000);
  });
});
