// SPDX-License-Identifier: Apache-2.0
import { sameQuantization } from '../../graph/quant-types.js';
import type { Window } from '../../graph/graph.js';
import type { QuantGlobalPool, QuantNode, QuantPool, QuantValue } from '../../graph/quant-graph.js';
import type { FixedRule, MeanForm } from '../../targets/target.js';
import type { AverageForm, Requant } from '../program.js';
import { fixedPoint, roundHalfAway, roundHalfEven } from '../rounding.js';
import { codeClamp } from './clamp.js';
import { exponentOf, quantizeMultiplier, significand } from './multipliers.js';
import { imageOf, limitsOf, type LoweringState } from './state.js';
import { converted } from './unary.js';

const f32 = Math.fround;

/** Average and max pools with a window. */
export function lowerPool(state: LoweringState, node: QuantPool): void {
  const { kernel, strides, pads } = node;
  const value = state.value(node.output);
  if (node.op === 'MaxPool') {
    const inputs = [converted(state, node, node.inputs[0]!, value)];
    const clamp = codeClamp(state, node, node.clamp, value, true);
    const output = state.write(node.output);
    state.ops.push({
      op: 'maxPool',
      name: node.name,
      inputs,
      output,
      kernel,
      strides,
      pads,
      clamp,
    });
    return;
  }
  const input = state.value(node.inputs[0]!);
  average(state, node, node, averageForm(state, node, input, value));
}

/** Mean over height and width. */
export function lowerGlobalPool(state: LoweringState, node: QuantGlobalPool): void {
  const input = state.value(node.inputs[0]!);
  const { height, width } = imageOf(input)!;
  const window: Window = { kernel: [height, width], strides: [1, 1], pads: [0, 0, 0, 0] };
  const { globalPool } = state.target.arithmetic;
  const value = state.value(node.output);
  if (globalPool.kind === 'rawMean') {
    lowerRawMean(state, node, input, value, globalPool.rule);
    return;
  }
  const form = meanForm(state, node, globalPool, input, value, height * width);
  average(state, node, window, form);
}

/**
 * TensorFlow Lite's optimized MEAN (optimized_ops.h): fixed(raw sum) + zero point out -
 * trunc(f32(f32(zero point in * si) / so)). As a program: a depthwise convolution by ones, whose
 * bias restores the raw sum and whose zero point is that constant; then the codes are renamed.
 */
function lowerRawMean(
  state: LoweringState,
  node: QuantGlobalPool,
  input: QuantValue,
  value: QuantValue,
  rule: FixedRule,
): void {
  const { height, width, channels } = imageOf(input)!;
  const n = height * width;
  const { multiplier, shift } = quantizeMultiplier(f32(input.scale / f32(n * value.scale)));
  const offset = Math.trunc(f32(f32(input.zeroPoint * input.scale) / value.scale));
  const zeroPoint = value.zeroPoint - offset;
  const [least, greatest] = limitsOf(value);
  if (zeroPoint < least || zeroPoint > greatest || (value.dtype !== 'u8' && value.dtype !== 's8')) {
    state.refuse(
      node,
      `its mean needs a zero point of ${zeroPoint} on the way, outside [${least}, ${greatest}]; choose another scale or zero point`,
    );
  }
  const inputs = [state.read(node, node.inputs[0]!)];
  const clamp = codeClamp(state, node, undefined, value, false);
  const sum = state.append({ ...value, zeroPoint }, `${node.name}/sum`);
  const output = state.write(node.output);
  state.ops.push({
    op: 'conv',
    name: `${node.name}/sum`,
    inputs,
    output: sum,
    kernel: [height, width],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    groups: channels,
    weightType: 's8',
    weights: new Int8Array(channels * n).fill(1),
    weightZeroPoints: Int32Array.of(0),
    bias: new Int32Array(channels).fill(n * input.zeroPoint),
    accumulator: { ...state.target.arithmetic.accumulator, products: 'exact' },
    requant: fixed(state, node, multiplier, shift, rule),
    clamp,
  });
  const table = Int32Array.from({ length: 256 }, (_, i) => least + i);
  state.ops.push({ op: 'lut', name: node.name, inputs: [sum], output, table });
}

function average(
  state: LoweringState,
  node: QuantPool | QuantGlobalPool,
  { kernel, strides, pads }: Window,
  form: AverageForm,
): void {
  const inputs = [state.read(node, node.inputs[0]!)];
  const clamp = codeClamp(
    state,
    node,
    'clamp' in node ? node.clamp : undefined,
    state.value(node.output),
    true,
  );
  const output = state.write(node.output);
  state.ops.push({
    op: 'averagePool',
    name: node.name,
    inputs,
    output,
    kernel,
    strides,
    pads,
    form,
    clamp,
  });
}

function averageForm(
  state: LoweringState,
  node: QuantPool,
  input: QuantValue,
  value: QuantValue,
): AverageForm {
  const { averagePool, globalPool } = state.target.arithmetic;
  const { kernel, pads, countIncludePad } = node;
  const padded = pads.some((p) => p > 0);
  const needsEqual = averagePool?.kind === 'divide' && !sameQuantization(input, value);
  if (averagePool?.kind === 'divide' && !needsEqual) {
    if (padded && countIncludePad) {
      state.refuse(
        node,
        'counts padding in its mean, which the target does not; exclude the padding',
      );
    }
    return meanForm(state, node, averagePool, input, value, 1);
  }
  if (padded && !countIncludePad) {
    state.refuse(
      node,
      'averages windows of different size, which the target cannot; count the padding',
    );
  }
  const { height, width } = imageOf(input)!;
  const coversImage = !padded && kernel[0] === height && kernel[1] === width;
  const form = needsEqual || (averagePool === undefined && coversImage) ? globalPool : averagePool;
  if (form === undefined) {
    return state.refuse(
      node,
      'is a windowed average, which the target has no integer form for; take another target',
    );
  }
  return meanForm(state, node, form, input, value, kernel[0] * kernel[1]);
}

/** @param n number of codes in each window, where `form` needs it */
function meanForm(
  state: LoweringState,
  node: QuantNode,
  form: MeanForm,
  input: QuantValue,
  value: QuantValue,
  n: number,
): AverageForm {
  if (form.kind !== 'divide') {
    if (form.kind === 'f32ZeroInside') return zeroInside(state, node, input, value, n);
    if (form.kind === 'rawMean') {
      return state.refuse(node, 'changes the scale in a window, which the target cannot');
    }
    const requant = meanRequant(state, node, form, input.scale, value.scale, n);
    return { kind: 'requant', requant };
  }
  if (!sameQuantization(input, value)) {
    state.refuse(
      node,
      'changes the scale in a pool that keeps it; give input and output the same scale',
    );
  }
  return { kind: 'divide', rule: input.dtype === 'u8' ? form.u8 : form.s8 };
}

/**
 * RNE(f32(f32(sum * factor) + zero point)), which XNNPACK's mean computes. A program adds zero
 * points after rounding; the two agree but for ties. So this takes the form that gives the same
 * code for every sum that can occur, tried one by one, and refuses where there is none.
 */
function zeroInside(
  state: LoweringState,
  node: QuantNode,
  input: QuantValue,
  value: QuantValue,
  n: number,
): AverageForm {
  const factor = f32(input.scale / f32(value.scale * n));
  const exact = (a: number): number => roundHalfEven(f32(f32(f32(a) * factor) + value.zeroPoint));
  const fits = (after: (a: number) => number): boolean => {
    const [lo, hi] = limitsOf(value);
    const [least, greatest] = limitsOf(input);
    const clamp = (code: number): number => Math.min(Math.max(code, lo), hi);
    for (let a = n * (least - input.zeroPoint); a <= n * (greatest - input.zeroPoint); ++a) {
      if (clamp(after(a) + value.zeroPoint) !== clamp(exact(a))) return false;
    }
    return true;
  };
  if (fits((a) => roundHalfEven(f32(f32(a) * factor)))) {
    return { kind: 'requant', requant: { kind: 'f32', scale: Float32Array.of(factor) } };
  }
  const { multiplier, shift } = significand(factor);
  const rule = value.zeroPoint % 2 === 0 ? 'halfEven' : 'halfOdd';
  if (shift < 1 || shift > 62 || !fits((a) => fixedPoint(a, multiplier, shift, rule))) {
    state.refuse(
      node,
      `rounds ties of a mean over ${n} codes with the zero point ${value.zeroPoint} inside, which a program cannot; choose another output scale or an even zero point`,
    );
  }
  return { kind: 'requant', requant: fixed(state, node, multiplier, shift, rule) };
}

function meanRequant(
  state: LoweringState,
  node: QuantNode,
  form: Exclude<MeanForm, { kind: 'divide' | 'rawMean' | 'f32ZeroInside' }>,
  si: number,
  so: number,
  n: number,
): Requant {
  switch (form.kind) {
    case 'f32':
      return { kind: 'f32', scale: Float32Array.of(si / f32(so * n)) };
    case 'mean': {
      const { multiplier, shift } = dividedMultiplier(si / so, n);
      return fixed(state, node, multiplier, shift, form.rule);
    }
    case 'reciprocal': {
      const [ei, eo] = [exponentOf(si), exponentOf(so)];
      if (ei === undefined || eo === undefined)
        return state.refuse(node, 'has scales that are no powers of two');
      const k = form.bits - 1 + ceilLog2(n);
      const rounded = roundHalfAway(2 ** k / n);
      const [multiplier, digits] = rounded === 2 ** form.bits ? [rounded / 2, k - 1] : [rounded, k];
      return fixed(state, node, multiplier, digits + eo - ei, form.rule);
    }
    case 'flooredReciprocal': {
      if (si !== so)
        state.refuse(node, 'changes the scale in a pool that keeps it; give both sides the same');
      const k = ceilLog2(n);
      const multiplier = Number((((1n << BigInt(form.bits)) + 1n) << BigInt(k)) / BigInt(n));
      return fixed(state, node, multiplier, form.bits + k, form.rule);
    }
  }
}

/** TensorFlow Lite's MEAN (reduce.h): the multiplier of si / so divided by n without losing bits. */
function dividedMultiplier(factor: number, n: number): { multiplier: number; shift: number } {
  const { multiplier, shift } = quantizeMultiplier(factor);
  const exponent = 31 - shift;
  const k = Math.min(31 - Math.clz32(n), 32, 31 + exponent);
  const divided = Number((BigInt(multiplier) << BigInt(k)) / BigInt(n));
  return { multiplier: divided, shift: shift + k };
}

function fixed(
  state: LoweringState,
  node: QuantNode,
  multiplier: number,
  shift: number,
  rule: Extract<Requant, { kind: 'fixed' }>['rule'],
): Requant {
  if (shift < 1 || shift > 62) {
    state.refuse(node, `needs a shift of ${shift}, outside [1, 62]; choose another output scale`);
  }
  return {
    kind: 'fixed',
    multiplier: Int32Array.of(multiplier),
    shift: Uint8Array.of(shift),
    rule,
  };
}

/** Least k with 2^k >= n. */
function ceilLog2(n: number): number {
  return n === 1 ? 0 : 32 - Math.clz32(n - 1);
}
