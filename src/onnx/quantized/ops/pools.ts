// SPDX-License-Identifier: Apache-2.0
import type { Shape, Window } from '../../../graph/graph.js';
import type { QuantNode, QuantValue } from '../../../graph/quant-graph.js';
import type { OnnxNode } from '../../file/model.js';
import { intOf, intsOf } from '../attributes.js';
import type { ReadOperator, ImportState } from '../state.js';
import { positions, readWindow } from './window.js';

/** Window and output shape of a pool; undefined where they do not fit, which is reported. */
export function poolGeometry(state: ImportState, node: OnnxNode, shape: readonly number[]) {
  const window = readWindow(state, node, shape);
  if (window === undefined) return undefined;
  const { kernel, strides, pads, dilations } = window;
  const size = positions(shape, window);
  if (size === undefined || dilations.some((d) => d !== 1)) {
    state.fail(
      node,
      'bad-window',
      `expected a window without dilation that fits [${shape.join(', ')}]`,
    );
    return undefined;
  }
  return { window: { kernel, strides, pads }, shape: [1, shape[1]!, ...size] };
}

export const averagePool: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  const geometry = input && poolGeometry(state, node, input.shape);
  if (input === undefined || geometry === undefined) return;
  const name = state.layerName(node);
  const countIncludePad = intOf(node, 'count_include_pad', 0) === 1;
  state.pend(node, {
    name,
    shape: geometry.shape,
    takesClamp: true,
    emit: (value, clamp) => {
      state.add({
        op: 'AveragePool',
        name,
        inputs: [input.name],
        output: value.name,
        ...geometry.window,
        countIncludePad,
        ...(clamp === undefined ? {} : { clamp }),
      });
    },
  });
};

export const maxPool: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  const geometry = input && poolGeometry(state, node, input.shape);
  if (input === undefined || geometry === undefined) return;
  if (intOf(node, 'storage_order', 0) !== 0 || (node.outputs[1] ?? '') !== '') {
    state.fail(node, 'unsupported-attribute', 'expected no indices output');
    return;
  }
  pendMaximum(state, node, input, geometry);
};

/** The greatest codes of windows, at the input's quantization. */
function pendMaximum(
  state: ImportState,
  node: OnnxNode,
  input: QuantValue,
  { window, shape }: { readonly window: Window; readonly shape: Shape },
): void {
  const isCodes = state.get(node, 0).kind === 'codes';
  const name = state.layerName(node);
  state.pend(node, {
    name,
    shape,
    takesClamp: true,
    inherits: input.name,
    movesOnly: true,
    emit: (value, clamp) => {
      const isFlat = value.shape.length === 2;
      const image = isFlat
        ? state.addValue({ ...value, name: `${value.name}/image`, shape: [...value.shape, 1, 1] })
        : value;
      state.add({
        op: 'MaxPool',
        name,
        inputs: [input.name],
        output: image.name,
        ...window,
        countIncludePad: false,
        ...(clamp === undefined ? {} : { clamp }),
      });
      if (!isFlat) return;
      const reshape = state.claimLayer(`${name}/reshape`);
      state.add({ op: 'Reshape', name: reshape, inputs: [image.name], output: value.name });
    },
  });
  if (isCodes) settleCodes(state, node);
}

/** GlobalMaxPool, and ReduceMax over height and width. */
export const wholeMaximum: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const [, channels, height, width] = input.shape as [number, number, number, number];
  const isReduction = node.op === 'ReduceMax';
  const stated = intsOf(node, 'axes') ?? [...(state.constant(node, 1)?.data ?? [])];
  const axes = stated.map((axis) => (axis < 0 ? axis + input.shape.length : axis)).sort();
  if (input.shape.length !== 4 || (isReduction && axes.join() !== '2,3')) {
    const got = `[${input.shape.join(', ')}]${isReduction ? `, axes ${stated.join(', ')}` : ''}`;
    const detail = `expected a maximum over height and width of [1,C,H,W], got ${got}`;
    state.fail(node, 'unsupported-axis', detail);
    return;
  }
  const keeps = !isReduction || intOf(node, 'keepdims', 1) === 1;
  pendMaximum(state, node, input, {
    window: { kernel: [height, width], strides: [1, 1], pads: [0, 0, 0, 0] },
    shape: keeps ? [1, channels, 1, 1] : [1, channels],
  });
};

export const globalAveragePool: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  if (input.shape.length !== 4) {
    state.fail(node, 'unsupported-shape', `expected [1,C,H,W], got [${input.shape.join(', ')}]`);
    return;
  }
  const name = state.layerName(node);
  state.pend(node, {
    name,
    shape: [1, input.shape[1]!, 1, 1],
    takesClamp: false,
    emit: (value) => {
      state.add({
        op: 'GlobalAveragePool',
        name,
        inputs: [input.name],
        output: value.name,
        ...(node.op === 'ReduceMean' ? { floatKernel: true } : {}),
      });
    },
  });
};

/** The mean over height and width, kept or dropped. */
export const reduceMean: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const axes = intsOf(node, 'axes') ?? [...(state.constant(node, 1)?.data ?? [])];
  const normal = axes.map((axis) => (axis < 0 ? axis + input.shape.length : axis)).sort();
  if (input.shape.length !== 4 || normal.join() !== '2,3') {
    state.fail(
      node,
      'unsupported-axis',
      `expected a mean over height and width (axes 2, 3) of [1,C,H,W], got axes ${axes.join(', ')}`,
    );
    return;
  }
  if (intOf(node, 'keepdims', 1) === 1) {
    globalAveragePool(state, node);
    return;
  }
  const name = state.layerName(node);
  const channels = input.shape[1]!;
  state.pend(node, {
    name,
    shape: [1, channels],
    takesClamp: false,
    emit: (value) => {
      const image = state.addValue({
        ...value,
        name: `${value.name}/image`,
        shape: [1, channels, 1, 1],
      });
      state.add({
        op: 'GlobalAveragePool',
        name,
        inputs: [input.name],
        output: image.name,
        floatKernel: true,
      });
      state.add({
        op: 'Reshape',
        name: state.claimLayer(`${name}/reshape`),
        inputs: [image.name],
        output: value.name,
      });
    },
  });
};

/** Layers that move codes, met on codes: they are settled at once. */
export function settleCodes(state: ImportState, node: OnnxNode): void {
  const output = node.outputs[0]!;
  const value = state.activation({ ...node, inputs: [output] }, 0);
  if (value !== undefined) state.set(output, { kind: 'codes', value: value.name });
}

/** Makes `node` a pending layer that only moves the codes of `input`. */
export function pendMove(
  state: ImportState,
  node: OnnxNode,
  input: string,
  shape: readonly number[],
  make: (output: string) => QuantNode,
  name: string,
): void {
  const isCodes = state.get(node, 0).kind === 'codes';
  state.pend(node, {
    name,
    shape,
    takesClamp: false,
    inherits: input,
    movesOnly: true,
    emit: (value) => {
      state.add(make(value.name));
    },
  });
  if (isCodes) settleCodes(state, node);
}
