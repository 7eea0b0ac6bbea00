// SPDX-License-Identifier: Apache-2.0
// The float twin of quant-select.ts: positions along an axis of an activation, taken by a 1 x 1
// convolution with weights of one and zero, which every target computes exactly.
import { LimitError } from '../errors.js';
import type { ConvNode, Node, Pair, ReshapeNode, Shape, Tensor, TransposeNode } from './graph.js';
import { elementCount, f32Tensor } from './tensors.js';

/** What is taken from where, and how names and constants get into the graph. */
export interface Selection {
  /** Of the convolution. */
  readonly name: string;
  readonly input: string;
  readonly output: string;
  /** Of the input, with N = 1. */
  readonly shape: Shape;
  readonly axis: number;
  /** Positions along the axis, in the order of the output. */
  readonly picked: readonly number[];
  readonly addConstant: (wanted: string, tensor: Tensor) => string;
  /** A name for a node and the value that it makes. */
  readonly fresh: (wanted: string) => string;
}

/** Of one selection; 4,096 positions of as many. */
const maxWeights = 2 ** 24;

/**
 * The nodes, in order. Where the axis is not that of the channels, transposes put it there and
 * back, which passes then cancel against those that the file has around.
 */
export function selectChannels(selection: Selection): Node[] {
  const { name, input, output, shape, axis, picked, addConstant, fresh } = selection;
  const forth = [0, axis, ...shape.keys()].filter((own, i, all) => all.indexOf(own) === i);
  const moved = forth.map((own) => shape[own]!);
  const channels = moved[1]!;
  if (picked.length * channels > maxWeights) {
    throw new LimitError(
      'too-much-memory',
      `node "${name}"`,
      `taking ${picked.length} of ${channels} positions would need ${picked.length * channels} weights, more than ${maxWeights}; export the model without this selection`,
    );
  }
  const weight = new Float32Array(picked.length * channels);
  picked.forEach((from, o) => (weight[o * channels + from] = 1));
  const kernel = addConstant(`${name}/weight`, f32Tensor([picked.length, channels, 1, 1], weight));
  const image = [1, channels, moved[2] ?? 1, elementCount(moved.slice(3))];
  const taken = [1, picked.length, ...moved.slice(2)];
  const [turns, flat] = [axis !== 1, moved.length !== 4];
  const back = [...shape.keys()].map((own) => forth.indexOf(own));
  const steps: Step[] = [
    ...(turns ? [{ op: 'Transpose', perm: forth } as const] : []),
    ...(flat ? [{ op: 'Reshape', shape: image } as const] : []),
    { ...plainConv, kernel: [1, 1], strides: [1, 1], group: 1 },
    ...(flat ? [{ op: 'Reshape', shape: taken } as const] : []),
    ...(turns ? [{ op: 'Transpose', perm: back } as const] : []),
  ];
  let value = input;
  return steps.map((step, i) => {
    const from = value;
    value = i === steps.length - 1 ? output : fresh(`${name}/${step.op.toLowerCase()}`);
    const inputs = step.op === 'Conv' ? [from, kernel, ''] : [from];
    return {
      ...step,
      name: step.op === 'Conv' ? name : fresh(`${name}/move`),
      inputs,
      outputs: [value],
    };
  });
}

type Made = ConvNode | ReshapeNode | TransposeNode;
type Step = Made extends infer One
  ? One extends Made
    ? Omit<One, 'name' | 'inputs' | 'outputs'>
    : never
  : never;

const plainConv = { op: 'Conv', pads: [0, 0, 0, 0], dilations: [1, 1] } as const;

/** Positions `start + k * step`, `count` of them. */
export interface Stride {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/**
 * Every `step`-th row and column of an image [1,C,H,W] from the first on: a depthwise convolution
 * with a single one in each kernel.
 *
 * @param rows, columns with steps above 0
 */
export function selectPositions(
  { name, input, output, shape, addConstant }: Omit<Selection, 'axis' | 'picked' | 'fresh'>,
  rows: Stride,
  columns: Stride,
): Node {
  const channels = shape[1]!;
  const strides: Pair = [rows.step, columns.step];
  const kernel: Pair = [sideFor(shape[2]!, rows), sideFor(shape[3]!, columns)];
  const area = kernel[0] * kernel[1];
  const weight = new Float32Array(channels * area);
  for (let c = 0; c < channels; c++) weight[c * area + rows.start * kernel[1] + columns.start] = 1;
  const constant = addConstant(`${name}/weight`, f32Tensor([channels, 1, ...kernel], weight));
  const base = { name, inputs: [input, constant, ''], outputs: [output] };
  return { ...base, ...plainConv, kernel, strides, group: channels };
}

/** The smallest kernel that begins at the first position and fits `count` times. */
function sideFor(size: number, { start, step, count }: Stride): number {
  return Math.max(start + 1, size - count * step + 1);
}
