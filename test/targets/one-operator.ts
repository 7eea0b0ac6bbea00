// SPDX-License-Identifier: Apache-2.0
// Goldens of one operator each (test/oracles/*_goldens.py) as quantized graphs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QuantConv, QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

type GoldenValue = Pick<QuantValue, 'dtype' | 'shape' | 'scale' | 'zeroPoint'>;

export interface Golden {
  readonly target: string;
  readonly name: string;
  readonly op: 'conv' | 'add' | 'globalPool' | 'averagePool';
  readonly values: Readonly<Record<string, GoldenValue>>;
  readonly kernel?: readonly [number, number];
  readonly pads?: QuantConv['pads'];
  readonly group?: number;
  readonly fullyConnected?: boolean;
  readonly relu?: boolean;
  readonly weight?: {
    readonly shape: readonly number[];
    readonly scales: readonly number[];
    readonly data: string;
  };
  readonly bias?: readonly number[];
  /** NHWC codes, base64; of an addition, the channels of both operands. */
  readonly input: string;
  readonly expected: string;
}

export interface Goldens {
  readonly provenance: Readonly<Record<string, string>>;
  readonly cases: readonly Golden[];
}

export function readGoldens(file: string): Goldens {
  const path = join(__dirname, '../golden/hardware', file);
  return JSON.parse(readFileSync(path, 'utf8')) as Goldens;
}

type Codes = Int8Array | Uint8Array;

function decode(text: string, dtype: string): Codes {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return dtype === 'u8' ? bytes : new Int8Array(bytes.buffer);
}

function valueOf({ values }: Golden, name: string): QuantValue {
  const { shape, ...rest } = values[name]!;
  return value(name, shape, rest);
}

function convGraph(golden: Golden): QuantGraph {
  const { shape, scales, data } = golden.weight!;
  const conv = convNode(1, 1, {
    kernel: golden.kernel!,
    pads: golden.pads!,
    group: golden.group!,
    fullyConnected: golden.fullyConnected!,
    bias: Int32Array.from(golden.bias!),
    weight: {
      dtype: 's8',
      bits: 8,
      shape,
      data: decode(data, 's8'),
      scales: Float32Array.from(scales),
      zeroPoints: new Int32Array(scales.length),
    },
    ...(golden.relu ? { clamp: { lo: Float32Array.of(0), hi: Float32Array.of(Infinity) } } : {}),
  });
  return graphOf([valueOf(golden, 'x'), valueOf(golden, 'y')], [conv]);
}

/** Codes of one channel group, renamed to the operand's scale and zero point: exact in any rule. */
function pick(input: QuantValue, operand: QuantValue, first: number): QuantConv {
  const channels = operand.shape[1]!;
  const all = input.shape[1]!;
  const data = new Int8Array(channels * all);
  for (let c = 0; c < channels; ++c) data[c * all + first + c] = 1;
  return convNode(
    channels,
    all,
    {
      name: `pick ${operand.name}`,
      inputs: [input.name],
      output: operand.name,
      bias: new Int32Array(channels).fill(-operand.zeroPoint),
      weight: {
        dtype: 's8',
        bits: 8,
        shape: [channels, all, 1, 1],
        data,
        scales: Float32Array.of(operand.scale),
        zeroPoints: Int32Array.of(0),
      },
    },
    [operand.scale],
  );
}

function addGraph(golden: Golden): QuantGraph {
  const [a, b, y] = ['a', 'b', 'y'].map((name) => valueOf(golden, name)) as [
    QuantValue,
    QuantValue,
    QuantValue,
  ];
  const [, channels, height, width] = a.shape as [number, number, number, number];
  const x = value('x', [1, 2 * channels, height, width], { dtype: a.dtype });
  const add: QuantNode = { op: 'Add', name: 'add', inputs: ['a', 'b'], output: 'y' };
  return graphOf([x, a, b, y], [pick(x, a, 0), pick(x, b, channels), add]);
}

function poolGraph(golden: Golden): QuantGraph {
  const base = { name: 'pool', inputs: ['x'], output: 'y' };
  const node: QuantNode =
    golden.op === 'globalPool'
      ? { ...base, op: 'GlobalAveragePool' }
      : {
          ...base,
          op: 'AveragePool',
          kernel: golden.kernel!,
          strides: [1, 1],
          pads: [0, 0, 0, 0],
          countIncludePad: false,
        };
  return graphOf([valueOf(golden, 'x'), valueOf(golden, 'y')], [node]);
}

/** What a profile makes of a golden's input, and what the real thing made of it; NHWC. */
function runGolden(golden: Golden, target = golden.target): { got: Codes; expected: Codes } {
  const graph =
    golden.op === 'conv'
      ? convGraph(golden)
      : golden.op === 'add'
        ? addGraph(golden)
        : poolGraph(golden);
  const input = decode(golden.input, graph.values.get(graph.input)!.dtype);
  const { data } = interpret(lower(graph, findTarget(target)), input).outputs[0]!;
  return { got: data as Codes, expected: decode(golden.expected, golden.values.y!.dtype) };
}

/** How many codes of all goldens differ, by name, where any does. */
export function differing(goldens: readonly Golden[], target?: string): Record<string, number> {
  const counts = goldens.map((golden) => {
    const { got, expected } = runGolden(golden, target ?? golden.target);
    const count = expected.filter((code, i) => code !== got[i]).length;
    return [golden.name, got.length === expected.length ? count : Infinity] as const;
  });
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
