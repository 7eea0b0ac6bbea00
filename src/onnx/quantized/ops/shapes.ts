// SPDX-License-Identifier: Apache-2.0
// Operators that move codes without changing them.
import { mergeClamps } from '../../../graph/clamps.js';
import type { Pads, Shape } from '../../../graph/graph.js';
import { sameQuantization } from '../../../graph/quant-types.js';
import type { OnnxNode } from '../../file/model.js';
import { floatOf, intOf, intsOf, stringOf } from '../attributes.js';
import type { Pending } from '../known.js';
import type { ReadOperator, ImportState } from '../state.js';
import { pendMove, settleCodes } from './pools.js';

type Reshaped = (state: ImportState, node: OnnxNode, from: Shape) => Shape | undefined;

/** Makes a reader of an operator that keeps the order of elements. */
function reshaping(target: Reshaped): ReadOperator {
  return (state, node) => {
    const known = state.get(node, 0);
    if (known.kind === 'tail') {
      state.set(node.outputs[0]!, known);
      return;
    }
    if (known.kind === 'pending' && isTail(state, node)) {
      endTail(state, node);
      return;
    }
    const waiting = known.kind === 'pending' && known.pending.inherits === undefined;
    const input = waiting ? known.pending : state.activation(node, 0);
    if (input === undefined) return;
    const shape = target(state, node, input.shape);
    if (shape === undefined || product(shape) !== product(input.shape)) {
      state.fail(
        node,
        'unsupported-shape',
        `cannot tell the new shape of [${input.shape.join(', ')}]; fold shape computations into constants`,
      );
      return;
    }
    const name = state.layerName(node);
    if (waiting) {
      pendBehind(state, node, known.pending, shape, name);
      return;
    }
    pendMove(
      state,
      node,
      input.name,
      shape,
      (output) => ({ op: 'Reshape', name, inputs: [input.name], output }),
      name,
    );
  };
}

/** A layer that waits for its quantization gets that of its reshaped result. */
function pendBehind(
  state: ImportState,
  node: OnnxNode,
  pending: Pending,
  shape: Shape,
  name: string,
): void {
  const { takesClamp, wide } = pending;
  state.pend(node, {
    name: pending.name,
    shape,
    takesClamp,
    ...(wide === undefined ? {} : { wide }),
    emit: (value, clamp) => {
      const both =
        clamp && pending.clamp ? mergeClamps(pending.clamp, clamp) : (clamp ?? pending.clamp);
      const image = `${value.name}/image`;
      const before = { ...pending, clamp: both };
      const made = state.quantize(node, node.inputs[0]!, before, value, image);
      if (made === undefined) return;
      state.add({ op: 'Reshape', name, inputs: [made.name], output: value.name });
    },
  });
}

/** Whether the input is a layer that may be left out at the network's end. */
function isTail(state: ImportState, node: OnnxNode): boolean {
  const known = state.get(node, 0);
  return known.kind === 'pending' && known.pending.tailOf !== undefined;
}

function endTail(state: ImportState, node: OnnxNode): void {
  const known = state.get(node, 0);
  if (known.kind !== 'pending' || known.pending.tailOf === undefined) return;
  const { tailOf, name } = known.pending;
  state.set(node.outputs[0]!, { kind: 'tail', value: tailOf, node: name });
}

function product(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

export const reshape = reshaping((state, node, from) => {
  const target = state.constant(node, 1);
  if (target === undefined) return undefined;
  const zeroCopies = intOf(node, 'allowzero', 0) === 0;
  const sizes = [...target.data].map((size, i) => (size === 0 && zeroCopies ? from[i]! : size));
  const known = sizes.filter((size) => size !== -1);
  return sizes.map((size) => (size === -1 ? product(from) / product(known) : size));
});

export const flatten = reshaping((_, node, from) => {
  const axis = intOf(node, 'axis', 1);
  const at = axis < 0 ? axis + from.length : axis;
  return [product(from.slice(0, at)), product(from.slice(at))];
});

export const squeeze = reshaping((state, node, from) => {
  const axes = axesOf(state, node)?.map((axis) => (axis < 0 ? axis + from.length : axis));
  return from.filter((size, i) => (axes === undefined ? size !== 1 : !axes.includes(i)));
});

export const unsqueeze = reshaping((state, node, from) => {
  const axes = axesOf(state, node);
  if (axes === undefined) return undefined;
  const rank = from.length + axes.length;
  const ones = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...from];
  return Array.from({ length: rank }, (_, i) => (ones.has(i) ? 1 : rest.shift()!));
});

/** Axes are an attribute before opset 13, an input since. */
function axesOf(state: ImportState, node: OnnxNode): readonly number[] | undefined {
  const constant = state.constant(node, 1);
  return intsOf(node, 'axes') ?? (constant === undefined ? undefined : [...constant.data]);
}

/** Passes its input on, whatever it is. */
export const identity: ReadOperator = (state, node) => {
  const known = state.get(node, 0);
  state.set(
    node.outputs[0]!,
    known.kind === 'pending' && isTail(state, node) ? tailOf(known) : known,
  );
};

function tailOf(known: Extract<ReturnType<ImportState['get']>, { kind: 'pending' }>) {
  const { tailOf: value, name } = known.pending;
  return value === undefined ? known : ({ kind: 'tail', value, node: name } as const);
}

/**
 * At the network's input a change from NHWC, which is left out: quantized graphs are NCHW and
 * programs NHWC by themselves. Elsewhere only where it moves no element, or at the end.
 */
export const transpose: ReadOperator = (state, node) => {
  const known = state.get(node, 0);
  const output = node.outputs[0]!;
  if (known.kind === 'tail') {
    state.set(output, known);
    return;
  }
  if (known.kind === 'input') {
    const permuted = permute(node, known.shape);
    state.set(output, { ...known, shape: permuted });
    return;
  }
  const isInput = (known.kind === 'codes' || known.kind === 'real') && known.value === state.input;
  if (isInput && state.nodes.length === 0) {
    const value = state.value(known.value);
    state.values.set(value.name, { ...value, shape: permute(node, value.shape) });
    state.set(output, known);
    return;
  }
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const shape = permute(node, input.shape);
  if (!movesNothing(node, input.shape)) {
    state.set(output, { kind: 'tail', value: input.name, node: node.name || output });
    return;
  }
  const name = state.layerName(node);
  const make = (to: string) => ({ op: 'Reshape' as const, name, inputs: [input.name], output: to });
  pendMove(state, node, input.name, shape, make, name);
};

function permutation(node: OnnxNode, rank: number): readonly number[] {
  return intsOf(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
}

function permute(node: OnnxNode, shape: Shape): Shape {
  return permutation(node, shape.length).map((axis) => shape[axis]!);
}

function movesNothing(node: OnnxNode, shape: Shape): boolean {
  const long = permutation(node, shape.length).filter((axis) => shape[axis] !== 1);
  return long.every((axis, i) => i === 0 || axis > long[i - 1]!);
}

export const concat: ReadOperator = (state, node) => {
  const inputs = node.inputs.map((_, i) => state.activation(node, i));
  if (!inputs.every((input) => input !== undefined)) return;
  const first = inputs[0]!;
  const axis = intOf(node, 'axis', 1);
  const normal = axis < 0 ? axis + first.shape.length : axis;
  const agrees = inputs.every(
    ({ shape }) =>
      shape.length === first.shape.length &&
      shape.every((size, i) => i === 1 || size === first.shape[i]),
  );
  if (normal !== 1 || !agrees) {
    state.fail(
      node,
      'unsupported-shape',
      `expected a concatenation along channels, got axis ${axis} of ${inputs.map(({ shape }) => `[${shape.join(', ')}]`).join(', ')}`,
    );
    return;
  }
  const channels = inputs.reduce((sum, { shape }) => sum + shape[1]!, 0);
  const name = state.layerName(node);
  const isCodes = state.get(node, 0).kind === 'codes';
  const oneQuantization = inputs.every((input) => sameQuantization(input, first));
  const names = inputs.map((input) => input.name);
  state.pend(node, {
    name,
    shape: first.shape.map((size, i) => (i === 1 ? channels : size)),
    takesClamp: false,
    ...(oneQuantization ? { inherits: first.name } : {}),
    emit: (value) => {
      state.add({ op: 'Concat', name, inputs: names, output: value.name });
    },
  });
  if (oneQuantization && isCodes) settleCodes(state, node);
};

export const pad: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const pads = intsOf(node, 'pads') ?? [...(state.constant(node, 1)?.data ?? [])];
  const rank = input.shape.length;
  const isCodes = state.get(node, 0).kind === 'codes';
  // On codes the fill is a code, and real zero is the zero point.
  const zero = isCodes ? input.zeroPoint : 0;
  const fill = state.constant(node, 2)?.data[0] ?? floatOf(node, 'value', 0);
  const plain =
    stringOf(node, 'mode', 'constant') === 'constant' &&
    fill === zero &&
    (node.inputs[3] ?? '') === '' &&
    rank === 4 &&
    pads.length === 8 &&
    pads.every((p) => p >= 0) &&
    [0, 1, 4, 5].every((i) => pads[i] === 0);
  if (!plain) {
    state.fail(
      node,
      'unsupported-padding',
      `expected zeros around height and width of [1,C,H,W], got pads ${pads.join(', ')} filled with ${fill}`,
    );
    return;
  }
  const [top, left, bottom, right] = [pads[2]!, pads[3]!, pads[6]!, pads[7]!];
  const [, channels, height, width] = input.shape as [number, number, number, number];
  const shape = [1, channels, height + top + bottom, width + left + right];
  const name = state.layerName(node);
  const border: Pads = [top, left, bottom, right];
  const make = (output: string) =>
    ({ op: 'Pad', name, inputs: [input.name], output, pads: border }) as const;
  pendMove(state, node, input.name, shape, make, name);
};
