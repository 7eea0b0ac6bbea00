// SPDX-License-Identifier: Apache-2.0
// Relu, Clip, Max and Min: clamps of the layer before them, or layers of their own after codes.
import type { Clamp } from '../../../graph/graph.js';
import type { OnnxNode } from '../../file/model.js';
import { floatOf } from '../attributes.js';
import { lower, raise } from '../clamp-bounds.js';
import type { Pending } from '../known.js';
import { perChannel } from '../per-channel.js';
import type { ReadOperator, ImportState } from '../state.js';
import { boundCodes } from './code-bounds.js';
import { pendUnary } from './unary.js';

type Bound = (clamp: Clamp | undefined) => Clamp | undefined;

export const relu: ReadOperator = (state, node) => {
  bound(state, node, 0, (clamp) => raise(clamp, Float32Array.of(0)));
};

export const clip: ReadOperator = (state, node) => {
  const output = node.outputs[0]!;
  const [lo, hi] = [1, 2].map((i) => clipBound(state, node, i));
  if (lo === undefined || hi === undefined) return;
  // The saturation of narrow codes, which their bit count implies.
  const isRange = state.facts.activationBits.has(state.futureValueName(output));
  bound(state, node, 0, (clamp) => {
    if (isRange) return clamp;
    const raised = lo === -Infinity ? clamp : raise(clamp, Float32Array.of(lo));
    return hi === Infinity ? raised : lower(raised, Float32Array.of(hi));
  });
};

/** Bounds are inputs since opset 11, attributes before. */
function clipBound(state: ImportState, node: OnnxNode, index: number): number | undefined {
  const open = index === 1 ? -Infinity : Infinity;
  if ((node.inputs[index] ?? '') === '') {
    const stored = floatOf(node, index === 1 ? 'min' : 'max', open);
    // The attributes' defaults are the ends of float32.
    return Math.abs(stored) >= 3.4e38 ? open : stored;
  }
  const constant = state.realConstant(node, index);
  if (constant?.data.length === 1) return constant.data[0]!;
  state.fail(node, 'unsupported-clamp', 'expected constant bounds; fold them');
  return undefined;
}

export const max: ReadOperator = (state, node) => {
  boundByConstant(state, node, raise);
};

export const min: ReadOperator = (state, node) => {
  boundByConstant(state, node, lower);
};

function boundByConstant(
  state: ImportState,
  node: OnnxNode,
  apply: (clamp: Clamp | undefined, limits: Float32Array) => Clamp,
): void {
  const index = state.realConstant(node, 0) === undefined ? 1 : 0;
  const limits = state.realConstant(node, index);
  const isCodes = state.peek(node.inputs[1 - index] ?? '')?.kind === 'codes';
  if (node.inputs.length !== 2 || limits === undefined || (limits.dtype !== 'f32' && !isCodes)) {
    state.fail(node, 'unsupported-clamp', 'expected one float32 constant as bound');
    return;
  }
  const shape = shapeOfInput(state, node, 1 - index);
  const values = shape && perChannel(limits.shape, Float32Array.from(limits.data), shape);
  if (shape !== undefined && values === undefined) {
    state.fail(
      node,
      'unsupported-clamp',
      `expected one bound, or one per channel, got shape [${limits.shape.join(', ')}]`,
    );
    return;
  }
  bound(state, node, 1 - index, (clamp) => (values === undefined ? clamp : apply(clamp, values)));
}

function shapeOfInput(state: ImportState, node: OnnxNode, index: number) {
  const known = state.get(node, index);
  if (known.kind === 'pending') return known.pending.shape;
  return known.kind === 'real' || known.kind === 'codes'
    ? state.value(known.value).shape
    : undefined;
}

function bound(state: ImportState, node: OnnxNode, index: number, apply: Bound): void {
  const known = state.get(node, index);
  const output = node.outputs[0]!;
  if (known.kind === 'pending') {
    const pending: Pending = { ...withoutEnds(known.pending), clamp: apply(known.pending.clamp) };
    state.set(output, { kind: 'pending', pending });
    return;
  }
  if (known.kind === 'codes') {
    const value = boundCodes(state, node, index, apply(undefined));
    state.set(output, { kind: 'codes', value: value.name });
    return;
  }
  const input = state.activation(node, index);
  if (input === undefined) return;
  pendUnary(state, node, 'Requantize', input, {}, apply(undefined));
}

/** A clamped result is neither open to a bias nor a tail nor a plain sum any more. */
function withoutEnds(pending: Pending): Pending {
  const { name, shape, clamp, takesClamp, emit, fate, inherits, movesOnly } = pending;
  const rest = { name, shape, clamp, takesClamp, emit, fate };
  return inherits === undefined ? rest : { ...rest, inherits, movesOnly: movesOnly === true };
}
