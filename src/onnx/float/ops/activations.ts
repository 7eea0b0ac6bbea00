// SPDX-License-Identifier: Apache-2.0
import type { Clamp } from '../../../graph/graph.js';
import type { ImportOp, NodeContext } from '../context.js';
import { Unsupported } from '../problems.js';

function scalarClamp(lo: number, hi: number): Clamp {
  return { lo: Float32Array.of(lo), hi: Float32Array.of(hi) };
}

/** Relu (6, 13, 14). */
export const importRelu: ImportOp = (context) => {
  context.attributes.ignore('consumed_inputs');
  return { ...context.base(), op: 'Clamp', clamp: scalarClamp(0, Infinity) };
};

/** Clip: bounds as attributes (6) or as inputs (11, 12, 13). */
export const importClip: ImportOp = (context) => {
  const { attributes } = context;
  const lo = attributes.float('min', context.scalar(1, 'min') ?? -Infinity);
  const hi = attributes.float('max', context.scalar(2, 'max') ?? Infinity);
  return { ...context.base([context.input(0)]), op: 'Clamp', clamp: checkedClamp(lo, hi) };
};

function checkedClamp(lo: number, hi: number): Clamp {
  // The largest float32 is how some exporters write "no bound".
  const widest = 3.4028234663852886e38;
  if (Number.isNaN(lo) || Number.isNaN(hi) || lo > hi) {
    throw new Unsupported(`bounds ${lo} to ${hi}`);
  }
  return scalarClamp(lo <= -widest ? -Infinity : lo, hi >= widest ? Infinity : hi);
}

/** Min and Max (6, 8, 12, 13) of one activation with constants, one value or one per channel. */
export const importBound: ImportOp = (context) => {
  const [x, bound] = activationAndConstant(context);
  const channels = context.shape(x)[1] ?? 1;
  const perChannel = bound.data.length === channels && isChannelShape(bound.shape, context, x);
  if (bound.data.length !== 1 && !perChannel) {
    throw new Unsupported(`a bound of shape [${bound.shape.join()}]; one value or one per channel`);
  }
  const side = Float32Array.from(bound.data);
  const open = (value: number) => new Float32Array(side.length).fill(value);
  const clamp =
    context.node.op === 'Max'
      ? { lo: side, hi: open(Infinity) }
      : { lo: open(-Infinity), hi: side };
  return { ...context.base([context.input(x)]), op: 'Clamp', clamp };
};

function activationAndConstant(context: NodeContext) {
  if (context.node.inputs.length === 2) {
    const [first, second] = [context.constant(0), context.constant(1)];
    if (second !== undefined && first === undefined) return [0, second] as const;
    if (first !== undefined && second === undefined) return [1, first] as const;
  }
  throw new Unsupported('inputs other than one activation and one constant');
}

function isChannelShape(bound: readonly number[], context: NodeContext, x: number): boolean {
  const missing = context.shape(x).length - bound.length;
  return missing >= 0 && bound.every((size, i) => size === 1 || i + missing === 1);
}

/** HardSigmoid (6) and HardSwish (14, fixed at 1/6 and 1/2). */
export const importHardSigmoid: ImportOp = (context) => {
  const { attributes, node } = context;
  if (node.op === 'HardSwish')
    return { ...context.base(), op: 'HardSwish', alpha: 1 / 6, beta: 0.5 };
  const alpha = attributes.float('alpha', Math.fround(0.2));
  return { ...context.base(), op: 'HardSigmoid', alpha, beta: attributes.float('beta', 0.5) };
};

/** Gelu (20). */
export const importGelu: ImportOp = (context) => {
  const approximate = context.attributes.text('approximate', 'none');
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new Unsupported(`approximate "${approximate}"`);
  return { ...context.base(), op: 'Gelu', approximate: approximate === 'tanh' };
};

/** Sigmoid (6, 13). */
export const importSigmoid: ImportOp = (context) => ({ ...context.base(), op: 'Sigmoid' });

/** Softmax: over one axis (13), or over all axes from one on (1, 11). */
export const importSoftmax: ImportOp = (context) => {
  const shape = context.shape(0);
  const before13 = context.opset < 13;
  const axis = context.axis(context.attributes.int('axis', before13 ? 1 : -1), shape.length);
  if (before13 && shape.slice(axis + 1).some((size) => size !== 1)) {
    throw new Unsupported(`softmax over axes ${axis} to ${shape.length - 1} at once (opset < 13)`);
  }
  return { ...context.base(), op: 'Softmax', axis };
};
