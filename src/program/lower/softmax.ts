// SPDX-License-Identifier: Apache-2.0
import type { QuantSoftmax, QuantValue } from '../../graph/quant-graph.js';
import type { TableSoftmax } from '../../targets/target.js';
import { codeRange, type SoftmaxForm } from '../program.js';
import { isLast } from './last.js';
import { quantizeMultiplier } from './multipliers.js';
import type { LoweringState } from './state.js';

const f32 = Math.fround;

/** Softmax over channels. */
export function lowerSoftmax(state: LoweringState, node: QuantSoftmax): void {
  const { softmax } = state.target.arithmetic;
  if (softmax === undefined) {
    omit(state, node);
    return;
  }
  const inputs = [state.read(node, node.inputs[0]!)];
  const from = state.value(node.inputs[0]!);
  const to = state.value(node.output);
  const output = state.write(node.output);
  if (![from, to].every(({ dtype }) => dtype === 'u8' || dtype === 's8')) {
    state.refuse(node, 'softmax needs 8-bit codes on both sides; quantize to 8 bits');
  }
  const form =
    softmax.kind === 'gemmlowp'
      ? fixedPoint(state, node, from, to)
      : table(softmax, node, from, to);
  state.ops.push({ op: 'softmax', name: node.name, inputs, output, form });
}

/** A softmax that ends a network keeps the order of its logits, so these can be the output. */
function omit(state: LoweringState, node: QuantSoftmax): void {
  if (!isLast(state.graph, node.output)) {
    state.refuse(node, 'the target has no softmax, and this one is not the last layer');
  }
  const logits = node.inputs[0]!;
  state.standIn(node, logits);
  state.omissions.push(
    `softmax "${node.name}": ${state.target.id} has none, so the logits "${logits}" are the output`,
  );
}

/** TensorFlow Lite's PreprocessSoftmaxScaling and CalculateInputRadius, 5 integer bits. */
function fixedPoint(
  state: LoweringState,
  node: QuantSoftmax,
  from: QuantValue,
  to: QuantValue,
): SoftmaxForm {
  const [least] = codeRange[to.dtype];
  if (to.scale !== 1 / 256 || to.zeroPoint !== least) {
    state.refuse(
      node,
      `softmax writes scale 1/256 and zero point ${least} only; give its output these`,
    );
  }
  const factor = Math.min(node.beta * from.scale * 2 ** 26, 2 ** 31 - 1);
  const { multiplier, shift } = quantizeMultiplier(factor);
  const leftShift = 31 - shift;
  if (leftShift < 0) state.refuse(node, 'its input scale is below 2^-26; choose a larger one');
  const diffMin = -Math.floor((31 * 2 ** 26) / 2 ** leftShift);
  return { kind: 'gemmlowp', multiplier, leftShift, diffMin };
}

/** TensorFlow Lite's PopulateSoftmaxLookupTable, float32. */
function table(
  softmax: TableSoftmax,
  node: QuantSoftmax,
  from: QuantValue,
  to: QuantValue,
): SoftmaxForm {
  const scale = f32(-from.scale * f32(node.beta));
  return {
    kind: 'f32Table',
    table: Float32Array.from({ length: 256 }, (_, i) => Math.exp(f32(scale * i))),
    outputScale: to.scale,
    rule: to.dtype === 'u8' ? softmax.u8 : softmax.s8,
  };
}
