// SPDX-License-Identifier: Apache-2.0
import type { QuantSoftmax, QuantValue } from '../../graph/quant-graph.js';
import { codeLimits } from '../../numeric/code-types.js';
import { quantizeMultiplier } from '../../numeric/multipliers.js';
import { fixedPoint } from '../../numeric/requant.js';
import { roundHalfAway } from '../../numeric/round.js';
import type { TableSoftmax, WideSoftmax } from '../../targets/target.js';
import type { SoftmaxForm } from '../program.js';
import { isLast } from './last.js';
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
  const { s16 } = state.target.arithmetic;
  if (s16?.softmax !== undefined && from.dtype === 's16' && to.dtype === 's16') {
    const form = wideTables(state, node, s16.softmax, from, to);
    state.ops.push({ op: 'softmax', name: node.name, inputs, output, form });
    return;
  }
  if (![from, to].every(({ dtype }) => dtype === 'u8' || dtype === 's8')) {
    state.refuse(node, 'softmax needs 8-bit codes on both sides; quantize to 8 bits');
  }
  const form =
    softmax.kind === 'gemmlowp'
      ? fixedPointForm(state, node, from, to)
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
function fixedPointForm(
  state: LoweringState,
  node: QuantSoftmax,
  from: QuantValue,
  to: QuantValue,
): SoftmaxForm {
  const [least] = codeLimits(to.dtype);
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

/**
 * TensorFlow Lite's SoftmaxInt16 (reference/softmax.h): differences become steps of 10 / 65535, exp
 * and 1 / (1 + x) come from tables of 513 points.
 */
function wideTables(
  state: LoweringState,
  node: QuantSoftmax,
  { rule, tables }: WideSoftmax,
  from: QuantValue,
  to: QuantValue,
): SoftmaxForm {
  if (to.scale !== 1 / 32768) {
    state.refuse(node, 'softmax of 16-bit codes writes scale 1/32768 only; give its output this');
  }
  const { multiplier, shift } = quantizeMultiplier((from.scale * node.beta) / (10 / 65535));
  if (shift < 1) state.refuse(node, 'its input scale is too large; choose a smaller one');
  const r: Real = tables === 'f32' ? f32 : (x) => x;
  const exp = pointsOf(r, (x) => r(Math.exp(x)), 10, 32767);
  const inverse = pointsOf(r, (x) => r(1 / r(1 + x)), 1, -32768);
  return {
    kind: 'wideTable',
    exp: Int16Array.from({ length: 65536 }, (_, i) => {
      const steps = fixedPoint(-i, multiplier, shift, rule) + 32767;
      return between(exp, Math.min(Math.max(steps, -32768), 32767));
    }),
    reciprocal: Int16Array.from({ length: 65536 }, (_, i) => between(inverse, i - 32768)),
  };
}

/** Rounds to the type that the tables are made in. */
type Real = (x: number) => number;

/**
 * A function at 513 points of a 16-bit argument in steps of range / 65535 (TensorFlow Lite's
 * LUTPopulate), results in steps of 2 / 65535: each point is moved by half of what a line from it to
 * the next would miss halfway.
 */
function pointsOf(r: Real, f: Real, range: number, zeroPoint: number): Int16Array {
  const scale = r(range / 65535);
  const least = r(scale * (-32768 - zeroPoint));
  const greatest = r(scale * (32767 - zeroPoint));
  const step = r(r(greatest - least) / 512);
  const resolution = r(2 / 65535);
  const perUnit = r(65536 / r(r(resolution * 32767) - r(resolution * -32768)));
  const clamped = (x: number): number => Math.min(Math.max(x, -32768), 32767);
  const at = (i: number): number => r(least + r(i * step));
  const result = Int16Array.from({ length: 513 }, (_, i) => {
    const sample = roundHalfAway(r(f(at(i)) * perUnit));
    const line = roundHalfAway(r(r(r(f(at(i + 1)) * perUnit) + sample) / 2));
    const missed = line - roundHalfAway(r(f(r(at(i) + r(step / 2))) * perUnit));
    return clamped(sample - roundHalfAway(missed / 2));
  });
  result[512] = clamped(roundHalfAway(r(f(greatest) * perUnit)));
  return result;
}

/** The value between two points, 128 steps apart. */
function between(points: Int16Array, x: number): number {
  const i = 256 + (x >> 7);
  return points[i]! + (((points[i + 1]! - points[i]!) * (x & 127) + 64) >> 7);
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
