// SPDX-License-Identifier: Apache-2.0
// Random quantized networks for round-trip tests: every operator, type, width and clamp form.
import fc from 'fast-check';
import type { Clamp } from '../../../src/graph/graph.js';
import type {
  QuantDType,
  QuantGraph,
  QuantNode,
  QuantValue,
  QuantWeight,
} from '../../../src/graph/quant-graph.js';
import { windowPositions } from '../../../src/graph/window.js';
import { bitsOfType, codeLimits } from '../../../src/numeric/code-types.js';

/** A small deterministic source of numbers, so that one seed names one network. */
export class Dice {
  constructor(private state: number) {}

  /** mulberry32, uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  int(lo: number, hi: number): number {
    return lo + Math.floor(this.next() * (hi - lo + 1));
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }

  scale(): number {
    return this.chance(0.3) ? 2 ** this.int(-9, 0) : Math.fround(Math.exp(-8 * this.next()));
  }
}

interface Growth {
  readonly dice: Dice;
  readonly values: Map<string, QuantValue>;
  readonly nodes: QuantNode[];
}

export const quantGraphs: fc.Arbitrary<QuantGraph> = fc
  .integer()
  .map((seed) => randomQuantGraph(new Dice(seed)));

export function randomQuantGraph(dice: Dice): QuantGraph {
  const growth: Growth = { dice, values: new Map(), nodes: [] };
  const size = dice.int(4, 9);
  let current = value(growth, 'image', [1, dice.int(1, 6), size, dice.int(4, 9)]);
  for (let i = dice.int(1, 8); i > 0; i--) current = grow(growth, current);
  if (dice.chance(0.6)) current = head(growth, current);
  const outputs = [current.name];
  const inner = [...growth.values.keys()].slice(1, -1);
  if (inner.length > 0 && dice.chance(0.3)) outputs.unshift(dice.pick(inner));
  return {
    name: 'random',
    input: 'image',
    outputs,
    values: growth.values,
    nodes: growth.nodes,
    metadata: {
      ...(dice.chance(0.5) ? { target: 'tflm@2026.10', version: '0.1.0' } : {}),
      ...(dice.chance(0.3) ? { preprocess: 'tf' } : {}),
    },
    origin: dice.pick(['lastbit', 'qdq', 'qop', 'tflite'] as const),
  };
}

function value(
  { dice, values }: Growth,
  name: string,
  shape: readonly number[],
  dtypes: readonly QuantDType[] = ['u8', 's8', 's8', 's16'],
): QuantValue {
  const dtype = dice.pick(dtypes);
  const full = bitsOfType[dtype];
  const bits = dice.chance(0.8) || dtype === 's32' ? full : dice.int(2, full);
  const [lo, hi] = codeLimits(dtype, bits);
  const zeroPoint = dtype === 's32' ? 0 : dice.int(lo, hi);
  const made = { name, shape, dtype, bits, scale: dice.scale(), zeroPoint };
  values.set(name, made);
  return made;
}

/** A value with the quantization of `like`. */
function moved({ values }: Growth, name: string, shape: readonly number[], like: QuantValue) {
  const made = { ...like, name, shape };
  values.set(name, made);
  return made;
}

function clampOf({ dice }: Growth, channels: number): { clamp?: Clamp } {
  const kind = dice.int(0, 5);
  const lo = Math.fround(dice.next() * 4 - 3);
  if (kind === 0) return { clamp: bounds([0], [Infinity]) };
  if (kind === 1) return { clamp: bounds([0], [6]) };
  if (kind === 2) return { clamp: bounds([lo], [dice.chance(0.5) ? Infinity : lo + 2]) };
  if (kind === 3 && channels > 1) {
    const los = Array.from({ length: channels }, () => dice.next() * 2 - 2);
    return {
      clamp: bounds(
        los,
        los.map((l) => l + 3 * dice.next()),
      ),
    };
  }
  return {};
}

function bounds(lo: readonly number[], hi: readonly number[]): Clamp {
  return { lo: Float32Array.from(lo), hi: Float32Array.from(hi) };
}

function weights({ dice }: Growth, shape: readonly number[]): QuantWeight {
  const dtype = dice.pick(['s8', 's8', 'u8', 's16'] as const);
  const full = bitsOfType[dtype];
  const bits = dice.chance(0.7) ? full : dice.int(2, full);
  const [lo, hi] = codeLimits(dtype, bits);
  const channels = shape[0]!;
  const several = dice.chance(0.5) ? channels : 1;
  const size = shape.reduce((a, b) => a * b, 1);
  const holder = { u8: Uint8Array, s8: Int8Array, s16: Int16Array };
  const zeroPoints =
    dtype === 'u8' || dice.chance(0.5)
      ? Int32Array.from({ length: several }, () => dice.int(lo, hi))
      : Int32Array.of(0);
  return {
    dtype,
    bits,
    shape,
    data: holder[dtype].from(Array.from({ length: size }, () => dice.int(lo, hi))),
    scales: Float32Array.from({ length: several }, () => dice.scale()),
    zeroPoints,
  };
}

function biasOf({ dice }: Growth, channels: number): Int32Array | undefined {
  if (dice.chance(0.2)) return undefined;
  return Int32Array.from({ length: channels }, () => dice.int(-(2 ** 20), 2 ** 20));
}

function window(dice: Dice, shape: readonly number[]) {
  const kernel = [dice.int(1, 3), dice.int(1, 3)] as const;
  const strides = [dice.int(1, 2), dice.int(1, 2)] as const;
  const pads = [0, 1, 2, 3].map((i) => dice.int(0, Math.min(1, kernel[i % 2]! - 1))) as [
    number,
    number,
    number,
    number,
  ];
  const extent = ([0, 1] as const).map((a) =>
    windowPositions(shape[a + 2]!, kernel[a], strides[a], 1, pads[a], pads[a + 2]!),
  );
  return { kernel, strides, pads, height: extent[0]!, width: extent[1]! };
}

function grow(growth: Growth, input: QuantValue): QuantValue {
  const { dice, nodes, values } = growth;
  const name = `layer/${nodes.length}`;
  const output = `value/${nodes.length}`;
  const [, channels, height, width] = input.shape as [number, number, number, number];
  const inputs = [input.name];
  const kind = dice.int(0, 9);
  if ((kind === 0 || kind === 1) && height > 2 && width > 2) {
    const { height: rows, width: columns, ...geometry } = window(dice, input.shape);
    const made =
      kind === 0
        ? moved(growth, output, [1, channels, rows, columns], input)
        : value(growth, output, [1, channels, rows, columns]);
    nodes.push({
      op: kind === 0 ? 'MaxPool' : 'AveragePool',
      name,
      inputs,
      output,
      ...geometry,
      countIncludePad: kind === 1 && dice.chance(0.3),
      ...clampOf(growth, channels),
    });
    return made;
  }
  if (kind === 2) {
    const pads = [dice.int(0, 2), dice.int(0, 2), dice.int(0, 2), dice.int(0, 2)] as const;
    const shape = [1, channels, height + pads[0] + pads[2], width + pads[1] + pads[3]];
    const made = moved(growth, output, shape, input);
    nodes.push({ op: 'Pad', name, inputs, output, pads });
    return made;
  }
  if (kind === 3) {
    const made = value(growth, output, input.shape);
    const op = dice.pick(['HardSwish', 'HardSigmoid', 'Sigmoid', 'Requantize'] as const);
    const ramp = { alpha: Math.fround(dice.next()), beta: Math.fround(dice.next()) };
    const hasRamp = op === 'HardSigmoid' || (op === 'HardSwish' && dice.chance(0.5));
    nodes.push({
      op,
      name,
      inputs,
      output,
      ...(hasRamp ? ramp : {}),
      ...clampOf(growth, channels),
    });
    return made;
  }
  if (kind === 4 || kind === 5) {
    const peers = [...values.values()].filter(
      (peer) => peer.shape.join() === input.shape.join() || kind === 5,
    );
    const same = peers.filter((peer) => peer.shape.join() === input.shape.join());
    const op = dice.pick(['Add', 'Mul'] as const);
    const made = value(growth, output, input.shape);
    const other = dice.pick(same);
    nodes.push({
      op,
      name,
      inputs: [input.name, other.name],
      output,
      ...clampOf(growth, channels),
    });
    return made;
  }
  if (kind === 6) {
    const peers = [...values.values()].filter(
      ({ shape }) => shape.length === 4 && shape[2] === height && shape[3] === width,
    );
    const other = dice.pick(peers);
    const made = value(growth, output, [1, channels + other.shape[1]!, height, width]);
    nodes.push({ op: 'Concat', name, inputs: [input.name, other.name], output });
    return made;
  }
  return convolve(growth, input, name, output);
}

function convolve(growth: Growth, input: QuantValue, name: string, output: string): QuantValue {
  const { dice, nodes } = growth;
  const channels = input.shape[1]!;
  const depthwise = dice.chance(0.4);
  const outputs = depthwise ? channels * dice.int(1, 2) : dice.int(1, 6);
  const fits = input.shape[2]! > 2 && input.shape[3]! > 2;
  const { height, width, ...geometry } = fits
    ? window(dice, input.shape)
    : {
        kernel: [1, 1] as const,
        strides: [1, 1] as const,
        pads: [0, 0, 0, 0] as const,
        height: input.shape[2]!,
        width: input.shape[3]!,
      };
  const inner = depthwise ? 1 : channels;
  const made = value(growth, output, [1, outputs, height, width]);
  nodes.push({
    op: 'Conv',
    name,
    inputs: [input.name],
    output,
    ...geometry,
    dilations: [1, 1],
    group: depthwise ? channels : 1,
    weight: weights(growth, [outputs, inner, ...geometry.kernel]),
    bias: biasOf(growth, outputs),
    ...clampOf(growth, outputs),
    fullyConnected: false,
  });
  return made;
}

/** Global pool, reshape, a fully connected layer (s32 at times), softmax. */
function head(growth: Growth, input: QuantValue): QuantValue {
  const { dice, nodes } = growth;
  const channels = input.shape[1]!;
  const pooled = value(growth, 'pooled', [1, channels, 1, 1]);
  nodes.push({ op: 'GlobalAveragePool', name: 'pool', inputs: [input.name], output: 'pooled' });
  const rows = dice.chance(0.7) ? moved(growth, 'row', [1, channels], pooled) : pooled;
  if (rows !== pooled)
    nodes.push({ op: 'Reshape', name: 'flat', inputs: ['pooled'], output: 'row' });
  const classes = dice.int(2, 7);
  const shape = rows === pooled ? [1, classes, 1, 1] : [1, classes];
  const logits = value(growth, 'logits', shape, ['u8', 's8', 's16', 's32']);
  nodes.push({
    op: 'Conv',
    name: 'classifier',
    inputs: [rows.name],
    output: 'logits',
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: 1,
    weight: weights(growth, [classes, channels, 1, 1]),
    bias: biasOf(growth, classes),
    ...clampOf(growth, classes),
    fullyConnected: true,
  });
  if (logits.dtype === 's32' || dice.chance(0.5)) return logits;
  const probabilities = value(growth, 'probabilities', shape, ['u8', 's8']);
  nodes.push({
    op: 'Softmax',
    name: 'softmax',
    inputs: ['logits'],
    output: 'probabilities',
    beta: dice.chance(0.5) ? 1 : Math.fround(0.5 + dice.next()),
  });
  return probabilities;
}
