// SPDX-License-Identifier: Apache-2.0
// Operators that take some of an image's channels, as 1 x 1 convolutions.
import type { QuantValue } from '../../graph/quant-graph.js';
import { channelsTaken } from '../../graph/quant-select.js';
import { sameQuantization } from '../../graph/quant-types.js';
import type { TfliteOperator } from '../reader.js';
import { type ReadOperator, type TfliteState, codesOf } from './state.js';

/** Makes output `position` of the operator from channels of `input`, from `first` on. */
function select(
  state: TfliteState,
  operator: TfliteOperator,
  position: number,
  input: QuantValue,
  first: number,
): boolean {
  const output = state.output(operator, position);
  if (output === undefined) return false;
  const picked = Array.from({ length: output.shape[1]! }, (_, i) => first + i);
  return take(state, operator, position, input, output, picked);
}

/** Makes `output` from the channels of `input` at `picked`. */
function take(
  state: TfliteState,
  operator: TfliteOperator,
  position: number,
  input: QuantValue,
  output: QuantValue,
  picked: readonly number[],
): boolean {
  const count = picked.length;
  const keepsImage = [2, 3].every((axis) => output.shape[axis] === input.shape[axis]);
  const isInside = picked.every((at) => at >= 0 && at < input.shape[1]!);
  const isAlike = keepsImage && count === output.shape[1] && sameQuantization(input, output);
  if (!isAlike || !isInside) {
    state.fail(
      operator,
      'unsupported-shape',
      `expected channels of [${input.shape.join(', ')}] with the same scale, got [${output.shape.join(', ')}] (NCHW)`,
    );
    return false;
  }
  const name = state.claimLayer(output.name);
  const isImage = input.shape.length === 4;
  const image = isImage ? input : state.reshaped(input, `${output.name}/operand`);
  const target = isImage
    ? output
    : { ...output, name: `${output.name}/image`, shape: [1, count, 1, 1] };
  const layer = channelsTaken(name, image, target.name, picked, true);
  if (isImage) {
    state.addOutput(operator, output, layer, position);
    return true;
  }
  state.addInner(target, layer);
  const reshape = state.claimLayer(`${output.name}/reshape`);
  state.addOutput(
    operator,
    output,
    { op: 'Reshape', name: reshape, inputs: [target.name], output: output.name },
    position,
  );
  return true;
}

/** The channels of tensor `index` at `picked`, as an operator's only output. */
export function takeChannels(
  state: TfliteState,
  operator: TfliteOperator,
  index: number,
  picked: readonly number[],
): void {
  const input = state.activation({ ...operator, inputs: [index] }, 0);
  const output = input && state.output(operator);
  if (input !== undefined && output !== undefined) take(state, operator, 0, input, output, picked);
}

/** Inputs: value, indices; GatherOptions: axis 0. */
export const gather: ReadOperator = (state, operator) => {
  const indices = state.constant(operator, 1);
  if (indices === undefined) return;
  const axis = operator.options?.int32(0) ?? 0;
  if (!isChannels(state, operator, 0, axis) || indices.shape.length !== 1) {
    const shape = indices.shape.join(', ');
    const detail = `expected channels in a row, got axis ${axis} (NHWC) and indices [${shape}]`;
    state.fail(operator, 'unsupported-axis', detail);
    return;
  }
  takeChannels(state, operator, operator.inputs[0]!, codesOf(indices));
};

/** Whether a dimension of the file's layout is the channels'. */
function isChannels(state: TfliteState, operator: TfliteOperator, at: number, axis: number) {
  const rank = state.tensor(operator.inputs[at]!).shape.length;
  return (axis < 0 ? axis + rank : axis) === rank - 1;
}

function splitChannels(state: TfliteState, operator: TfliteOperator, at: number, axisAt: number) {
  const input = state.activation(operator, at);
  const axis = input && state.constant(operator, axisAt);
  if (input === undefined || axis === undefined) return;
  const [along] = codesOf(axis);
  if (along === undefined || !isChannels(state, operator, at, along)) {
    state.fail(
      operator,
      'unsupported-axis',
      `expected a split along channels, got axis ${along ?? 'none'} (NHWC)`,
    );
    return;
  }
  let first = 0;
  for (let i = 0; i < operator.outputs.length; ++i) {
    if (!select(state, operator, i, input, first)) return;
    first += state.outputChannels(operator, i);
  }
}

/** Inputs: axis, value. */
export const split: ReadOperator = (state, operator) => {
  splitChannels(state, operator, 1, 0);
};

/** Inputs: value, sizes, axis; the sizes are the outputs'. */
export const splitV: ReadOperator = (state, operator) => {
  splitChannels(state, operator, 0, 2);
};

/** Inputs: value, begin, size. */
export const slice: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const begin = input && state.constant(operator, 1);
  if (input === undefined || begin === undefined) return;
  takeFrom(state, operator, input, codesOf(begin));
};

/** Inputs: value, begin, end, strides; StridedSliceOptions: begin mask 0, end 1. */
export const stridedSlice: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const begin = input && state.constant(operator, 1);
  const strides = begin && state.constant(operator, 3);
  if (input === undefined || begin === undefined || strides === undefined) return;
  const masked = operator.options?.int32(0) ?? 0;
  const steps = codesOf(strides);
  const sizes = state.tensor(operator.inputs[0]!).shape;
  if (steps.some((step) => step !== 1)) {
    state.fail(operator, 'unsupported-stride', `expected strides of 1, got ${steps.join(', ')}`);
    return;
  }
  const starts = codesOf(begin).map((start, i) =>
    (masked >> i) & 1 ? 0 : start < 0 ? start + sizes[i]! : start,
  );
  takeFrom(state, operator, input, starts);
};

function takeFrom(
  state: TfliteState,
  operator: TfliteOperator,
  input: QuantValue,
  starts: readonly number[],
): void {
  const first = starts.at(-1) ?? 0;
  if (first < 0 || starts.slice(0, -1).some((start) => start !== 0)) {
    state.fail(
      operator,
      'unsupported-shape',
      `expected a slice of channels alone, got one that begins at ${starts.join(', ')} (NHWC)`,
    );
    return;
  }
  select(state, operator, 0, input, first);
}
