// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul and Div of a quantized value and float constants: gain * x + shift per channel, as a
// depthwise 1 x 1 convolution.
import type { QuantConv, QuantValue } from '../../../graph/quant-graph.js';
import { roundHalfEven } from '../../../numeric/round.js';
import type { OnnxNode } from '../../file/model.js';
import type { Affine } from '../known.js';
import { perChannel } from '../per-channel.js';
import type { ImportState } from '../state.js';

/** Weights are codes of this magnitude, so that biases have six more bits than the value has. */
const weightCode = 64;

/**
 * Makes the node a pending layer, if it is such an operator on a value that is quantized, or on
 * one that waits behind others of them.
 */
export function takeAffine(state: ImportState, node: OnnxNode): boolean {
  for (const index of [0, 1]) {
    const constant = state.constant(node, 1 - index);
    const before = affineOf(state, node.inputs[index] ?? '');
    if (before === undefined || constant?.dtype !== 'f32') continue;
    const { shape } = state.value(before.value);
    const listed = perChannel(constant.shape, constant.data, shape);
    if (listed === undefined) continue;
    const after = applied(
      before,
      node.op,
      index === 0,
      (c) => listed[listed.length === 1 ? 0 : c]!,
    );
    if (after === undefined || !isUsable(after)) continue;
    pendAffine(state, node, after);
    return true;
  }
  return false;
}

/** What is done so far to the value that `name` holds; undefined where it holds no such one. */
export function affineOf(state: ImportState, name: string): Affine | undefined {
  const known = state.peek(name);
  if (known?.kind === 'pending') {
    return known.pending.clamp === undefined ? known.pending.affine : undefined;
  }
  if (known?.kind !== 'real') return undefined;
  const { shape } = state.value(known.value);
  if (shape.length !== 4 && shape.length !== 2) return undefined;
  const channels = shape[1]!;
  return {
    value: known.value,
    gain: new Float64Array(channels).fill(1),
    shift: new Float64Array(channels),
  };
}

/** `valueFirst`: the value is the left operand. */
function applied(
  { value, gain, shift }: Affine,
  op: string,
  valueFirst: boolean,
  constant: (channel: number) => number,
): Affine | undefined {
  const both = (
    f: (x: number, c: number) => number,
    g: (x: number, c: number) => number,
  ): Affine => ({
    value,
    gain: gain.map((x, c) => f(x, constant(c))),
    shift: shift.map((x, c) => g(x, constant(c))),
  });
  switch (op) {
    case 'Add':
      return both(
        (x) => x,
        (x, c) => x + c,
      );
    case 'Sub':
      return valueFirst
        ? both(
            (x) => x,
            (x, c) => x - c,
          )
        : both(
            (x) => -x,
            (x, c) => c - x,
          );
    case 'Mul':
      return both(
        (x, c) => x * c,
        (x, c) => x * c,
      );
    case 'Div':
      return valueFirst
        ? both(
            (x, c) => x / c,
            (x, c) => x / c,
          )
        : undefined;
    default:
      return undefined;
  }
}

function isUsable({ gain, shift }: Affine): boolean {
  const largest = 2 ** 40;
  return (
    gain.every((g) => Math.abs(g) > 1 / largest && Math.abs(g) < largest) &&
    shift.every((s) => Math.abs(s) < largest)
  );
}

/** Makes the output of `node` a pending layer of gain and shift. */
export function pendAffine(state: ImportState, node: OnnxNode, affine: Affine): void {
  const name = state.layerName(node);
  const input = state.value(affine.value);
  state.pend(node, {
    name,
    shape: input.shape,
    takesClamp: true,
    affine,
    emit: (output, clamp) => {
      const [from, to] = asImages(state, input, output, name);
      state.add({
        ...convolution(name, from, affine),
        output: to.name,
        floatKernel: true,
        ...(clamp === undefined ? {} : { clamp }),
      });
      if (to !== output) addReshape(state, to, output);
    },
  });
}

/** Input and output as images; rows [1,C] become [1,C,1,1] by layers of their own. */
function asImages(
  state: ImportState,
  input: QuantValue,
  output: QuantValue,
  name: string,
): readonly [QuantValue, QuantValue] {
  if (input.shape.length === 4) return [input, output];
  const shape = [...input.shape, 1, 1];
  const from = state.addValue({ ...input, name: `${name}/operand`, shape });
  addReshape(state, input, from);
  return [from, state.addValue({ ...output, name: `${name}/image`, shape })];
}

function addReshape(state: ImportState, from: QuantValue, to: QuantValue): void {
  const name = state.claimLayer(`${to.name}/reshape`);
  state.add({ op: 'Reshape', name, inputs: [from.name], output: to.name });
}

function convolution(
  name: string,
  input: QuantValue,
  { gain, shift }: Affine,
): Omit<QuantConv, 'output'> {
  const channels = gain.length;
  const steps = Float32Array.from(gain, (g) => Math.abs(g) / weightCode);
  const scales = steps.every((step) => step === steps[0]) ? steps.slice(0, 1) : steps;
  const limit = 2 ** 31 - 1;
  const bias = Int32Array.from(shift, (s, c) => {
    const code = roundHalfEven(s / (input.scale * steps[c]!));
    return Math.min(Math.max(code, -limit), limit);
  });
  return {
    op: 'Conv',
    name,
    inputs: [input.name],
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: channels,
    weight: {
      dtype: 's8',
      bits: 8,
      shape: [channels, 1, 1, 1],
      data: Int8Array.from(gain, (g) => Math.sign(g) * weightCode),
      scales,
      zeroPoints: Int32Array.of(0),
    },
    bias: bias.every((code) => code === 0) ? undefined : bias,
    fullyConnected: false,
  };
}
