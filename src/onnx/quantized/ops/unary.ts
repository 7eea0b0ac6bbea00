// SPDX-License-Identifier: Apache-2.0
// Functions of one value, and softmax.
import type { Clamp, Shape } from '../../../graph/graph.js';
import type { QuantUnary, QuantValue } from '../../../graph/quant-graph.js';
import { type OnnxNode, opsetOf } from '../../file/model.js';
import { floatOf, intOf, stringOf } from '../attributes.js';
import { type ReadOperator, type ImportState, wayOut } from '../state.js';

type Ramp = Pick<QuantUnary, 'alpha' | 'beta' | 'approximate'>;

/** Makes `node` a pending function of `input`. */
export function pendUnary(
  state: ImportState,
  node: OnnxNode,
  op: QuantUnary['op'],
  input: QuantValue,
  ramp: Ramp = {},
  clamp?: Clamp,
): void {
  const name = state.layerName(node);
  const { alpha, beta } = ramp;
  const isGate = op === 'HardSigmoid' && alpha !== undefined && beta !== undefined;
  state.pend(
    node,
    {
      name,
      shape: input.shape,
      takesClamp: true,
      ...(isGate ? { gate: { value: input.name, alpha, beta } } : {}),
      ...(op === 'Sigmoid' ? { tailOf: input.name } : {}),
      emit: (value, bounds) => {
        state.add({
          op,
          name,
          inputs: [input.name],
          output: value.name,
          ...ramp,
          ...(bounds === undefined ? {} : { clamp: bounds }),
        });
      },
    },
    clamp,
  );
}

export const hardSwish: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input !== undefined) pendUnary(state, node, 'HardSwish', input);
};

export const hardSigmoid: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const alpha = floatOf(node, 'alpha', Math.fround(0.2));
  pendUnary(state, node, 'HardSigmoid', input, { alpha, beta: floatOf(node, 'beta', 0.5) });
};

export const sigmoid: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input !== undefined) pendUnary(state, node, 'Sigmoid', input);
};

/** LeakyRelu (6, 16). */
export const leakyRelu: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  pendUnary(state, node, 'LeakyRelu', input, { alpha: floatOf(node, 'alpha', Math.fround(0.01)) });
};

/** Gelu (20), and that of com.microsoft. */
export const gelu: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const isTanh = stringOf(node, 'approximate', 'none') === 'tanh';
  pendUnary(state, node, 'Gelu', input, isTanh ? { approximate: true } : {});
};

export const softmax: ReadOperator = (state, node) => {
  const known = state.get(node, 0);
  const beta = known.kind === 'scaled' ? known.factor : 1;
  const input = known.kind === 'scaled' ? state.value(known.value) : state.activation(node, 0);
  if (input === undefined) return;
  const axis = intOf(node, 'axis', opsetOf(state.model) < 13 ? 1 : -1);
  if (!alongChannels(input.shape, axis)) {
    state.fail(
      node,
      'unsupported-axis',
      `expected a softmax along channels (axis 1), got axis ${axis} of [${input.shape.join(', ')}]`,
    );
    return;
  }
  const name = state.layerName(node);
  state.pend(node, {
    name,
    shape: input.shape,
    takesClamp: false,
    tailOf: input.name,
    emit: (value) => {
      state.add({ op: 'Softmax', name, inputs: [input.name], output: value.name, beta });
    },
  });
};

/** Whether `axis` is the channels' (older opsets flatten what follows, so it must be 1 x 1). */
export function alongChannels(shape: Shape, axis: number): boolean {
  const normal = axis < 0 ? axis + shape.length : axis;
  return normal === 1;
}

/** Operators that only make sense after the last quantized value: they end the integer network. */
export const tailOnly: ReadOperator = (state, node) => {
  const known = state.get(node, 0);
  const output = node.outputs[0]!;
  if (known.kind === 'tail') {
    state.set(output, known);
    return;
  }
  const input = state.activation(node, 0);
  if (input === undefined) return;
  state.set(output, {
    kind: 'tail',
    value: input.name,
    node: node.name === '' ? output : node.name,
  });
};

/** A dynamic quantization: its scale exists only at run time. */
export const dynamicQuantize: ReadOperator = (state, node) => {
  state.fail(
    node,
    'missing-scale',
    `its scale is computed at run time, and integer hardware needs it in the file; ${wayOut}`,
  );
};
