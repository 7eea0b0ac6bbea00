// SPDX-License-Identifier: Apache-2.0
// Operators that take some of an image's channels, as 1 x 1 convolutions.
import type { QuantValue } from '../../../graph/quant-graph.js';
import { channelsTaken } from '../../../graph/quant-select.js';
import type { OnnxNode } from '../../file/model.js';
import { intOf, intsOf } from '../attributes.js';
import type { ReadOperator, ImportState } from '../state.js';
import { pendMove } from './pools.js';

/** Makes output `position` of the node from the channels of `input` at `picked`. */
function select(
  state: ImportState,
  node: OnnxNode,
  position: number,
  input: QuantValue,
  picked: readonly number[],
): void {
  const output = node.outputs[position]!;
  const one = { ...node, outputs: [output] };
  const name = state.claimLayer(node.outputs.length === 1 && node.name !== '' ? node.name : output);
  const [, , height, width] = input.shape as [number, number, number, number];
  const make = (to: string) => channelsTaken(name, input, to, picked, false);
  pendMove(state, one, input.name, [1, picked.length, height, width], make, name);
}

function image(state: ImportState, node: OnnxNode): QuantValue | undefined {
  const input = state.activation(node, 0);
  if (input === undefined || input.shape.length === 4) return input;
  unsupported(state, node, `an input [${input.shape.join(', ')}]`);
  return undefined;
}

function unsupported(state: ImportState, node: OnnxNode, got: string): void {
  state.fail(
    node,
    'unsupported-shape',
    `expected channels (axis 1) of an image [1,C,H,W], got ${got}`,
  );
}

/** Sizes are an attribute before opset 13, an input since; without them the parts are equal. */
export const split: ReadOperator = (state, node) => {
  const input = image(state, node);
  if (input === undefined) return;
  const axis = intOf(node, 'axis', 0);
  const channels = input.shape[1]!;
  const stated = intsOf(node, 'split') ?? state.constant(node, 1)?.data;
  const each = Math.ceil(channels / node.outputs.length);
  const sizes = Array.from(
    stated ?? node.outputs.map((_, i) => Math.min(each, channels - i * each)),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const fits = sizes.length === node.outputs.length && sizes.every((size) => size > 0);
  if ((axis < 0 ? axis + 4 : axis) !== 1 || !fits || total !== channels) {
    unsupported(state, node, `axis ${axis} and sizes ${sizes.join(', ')}`);
    return;
  }
  let first = 0;
  sizes.forEach((size, i) => {
    select(state, node, i, input, range(first, size));
    first += size;
  });
};

/** Bounds are attributes before opset 10, inputs since. */
export const slice: ReadOperator = (state, node) => {
  const input = image(state, node);
  if (input === undefined) return;
  const list = (name: string, index: number) => [
    ...(intsOf(node, name) ?? state.constant(node, index)?.data ?? []),
  ];
  const [starts, ends] = [list('starts', 1), list('ends', 2)];
  const stated = list('axes', 3);
  const axes = stated.length > 0 ? stated : starts.map((_, i) => i);
  const steps = [...(state.constant(node, 4)?.data ?? [])];
  const ranges = input.shape.map((size) => [0, size] as [number, number]);
  axes.forEach((axis, i) => {
    const range = ranges[axis < 0 ? axis + 4 : axis];
    if (range === undefined) return;
    const bound = (at: number) => Math.min(Math.max(at < 0 ? at + range[1] : at, 0), range[1]);
    range.splice(0, 2, bound(starts[i]!), bound(ends[i]!));
  });
  const [, channels, ...rest] = ranges as [unknown, [number, number], ...[number, number][]];
  const isWhole = rest.every(([from, to], i) => from === 0 && to === input.shape[i + 2]);
  const known = starts.length > 0 && starts.length === ends.length;
  if (!known || !isWhole || steps.some((s) => s !== 1) || channels[0] >= channels[1]) {
    unsupported(state, node, `starts ${starts.join(', ')} and ends ${ends.join(', ')}`);
    return;
  }
  select(state, node, 0, input, range(channels[0], channels[1] - channels[0]));
};

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Gather (1, 11, 13) of channels with constant indices. */
export const gather: ReadOperator = (state, node) => {
  const input = image(state, node);
  if (input === undefined) return;
  const axis = intOf(node, 'axis', 0);
  const indices = state.constant(node, 1);
  const size = input.shape[1]!;
  const picked = Array.from(indices?.data ?? [], (at) => (at < 0 ? at + size : at));
  const known = indices?.shape.length === 1 && picked.every((at) => at >= 0 && at < size);
  if ((axis < 0 ? axis + 4 : axis) !== 1 || !known || picked.length === 0) {
    unsupported(state, node, `axis ${axis} and indices ${picked.slice(0, 8).join(', ')}`);
    return;
  }
  select(state, node, 0, input, picked);
};
