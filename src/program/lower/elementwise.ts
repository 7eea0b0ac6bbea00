// SPDX-License-Identifier: Apache-2.0
import type { QuantElementwise, QuantValue } from '../../graph/quant-graph.js';
import { codeLimits } from '../../numeric/code-types.js';
import {
  exponentOf,
  frexp,
  quantizeMultiplier,
  scaleProduct,
  type Multiplier,
} from '../../numeric/multipliers.js';
import { type FixedRule, fixedPoint } from '../../numeric/requant.js';
import { roundHalfEven } from '../../numeric/round.js';
import type { TargetArithmetic } from '../../targets/target.js';
import type { AddForm, AddOp, CodeClamp, Requant } from '../program.js';
import { codeClamp } from './clamp.js';
import { recipeOf } from './recipe.js';
import { requantOf } from './requant.js';
import { imageOf, type LoweringState } from './state.js';
import { converted } from './unary.js';
import { imageRuns, writeInVectors } from './vectors.js';
import { oneCodeWindow } from './window.js';

const f32 = Math.fround;

/** Add or Mul of two values. */
export function lowerElementwise(state: LoweringState, node: QuantElementwise): void {
  if (node.op === 'Add') lowerAdd(state, node);
  else lowerMul(state, node);
}

function lowerAdd(state: LoweringState, node: QuantElementwise): void {
  const [a, b] = node.inputs.map((name) => state.value(name)) as [QuantValue, QuantValue];
  const value = state.value(node.output);
  if (!sameImage(a, b))
    state.refuse(node, 'adds values of different shapes; repeat the smaller one');
  const clamp = codeClamp(state, node, node.clamp, value, false);
  const saturating = state.target.arithmetic.add.kind === 'saturating';
  const inputs = saturating
    ? convertedOperands(state, node, value)
    : node.inputs.map((name) => state.read(node, name));
  const form = saturating ? plainSum : addForm(state, node, [a, b], value, clamp);
  if (form.kind === 'f32' && outside(state) && value.zeroPoint !== 0) {
    addWithoutZeroPoint(state, node, { inputs, form, clamp, value });
    return;
  }
  const { vector } = rescaledAddition(state, a) ?? {};
  if (vector === undefined) {
    const output = state.write(node.output);
    state.ops.push({ op: 'add', name: node.name, inputs, output, form, clamp });
    return;
  }
  const rest = addForm(state, node, [a, b], value, clamp, true);
  writeInVectors(state, node, imageRuns(value, vector), (whole, name, output) => {
    return { op: 'add', name, inputs, output, form: whole ? form : rest, clamp };
  });
}

function rescaledAddition(state: LoweringState, value: QuantValue) {
  const add = additionOf(state, value);
  return add.kind === 'rescaled' ? add : undefined;
}

/** How values like this one are added. */
function additionOf({ target }: LoweringState, { dtype }: QuantValue): TargetArithmetic['add'] {
  const { add, s16 } = target.arithmetic;
  return dtype === 's16' ? (s16?.add ?? add) : add;
}

function outside({ target }: LoweringState): boolean {
  const { add } = target.arithmetic;
  return add.kind === 'f32' && (add.zeroPointOutside ?? false);
}

/**
 * A float32 addition whose zero point comes after the rounding: into 16 bits without zero point, then
 * a window of one code that adds it.
 */
function addWithoutZeroPoint(
  state: LoweringState,
  node: QuantElementwise,
  op: Pick<AddOp, 'inputs' | 'form' | 'clamp'> & { readonly value: QuantValue },
): void {
  const { inputs, form, clamp, value } = op;
  const { zeroPoint } = value;
  const name = `${node.name}/sum`;
  const sum = state.append({ ...value, dtype: 's16', bits: 16, zeroPoint: 0 }, name);
  const shifted = {
    lo: clamp.lo.map((code) => code - zeroPoint),
    hi: clamp.hi.map((code) => code - zeroPoint),
  };
  state.ops.push({ op: 'add', name, inputs, output: sum, form, clamp: shifted });
  const requant: Requant = { kind: 'shift', shift: Int8Array.of(0), rule: 'floor' };
  state.ops.push(oneCodeWindow(node.name, [sum], state.write(node.output), requant, clamp));
}

const plainSum: AddForm = {
  kind: 'aligned',
  multiplierA: 1,
  multiplierB: 1,
  shift: 0,
  rule: 'floor',
};

/** A value that is added to itself is converted once. */
function convertedOperands(
  state: LoweringState,
  node: QuantElementwise,
  value: QuantValue,
): number[] {
  const tensors = new Map(
    Array.from(new Set(node.inputs), (name) => [name, converted(state, node, name, value)]),
  );
  return node.inputs.map((name) => tensors.get(name)!);
}

function sameImage(a: QuantValue, b: QuantValue): boolean {
  const [x, y] = [imageOf(a)!, imageOf(b)!];
  return x.height === y.height && x.width === y.width && x.channels === y.channels;
}

function addForm(
  state: LoweringState,
  node: QuantElementwise,
  [a, b]: readonly [QuantValue, QuantValue],
  value: QuantValue,
  clamp: CodeClamp,
  plain = false,
): AddForm {
  const add = additionOf(state, a);
  const [sa, sb, so] = [a.scale, b.scale, value.scale];
  const unusable = (what: string): never =>
    state.refuse(node, `its scales are too far apart (${what}); choose scales of similar size`);
  switch (add.kind) {
    case 'rescaled': {
      const floored = !plain && add.flooredU8 === true && a.dtype === 'u8';
      const folded = !plain && !floored && add.folded === true;
      const form = rescaled(add.leftShift, folded, sa, sb, so);
      const { shiftA, shiftB, shiftOut } = form;
      const least = folded ? 31 - add.leftShift : 31;
      if (Math.min(shiftA, shiftB) < least || shiftOut < 1) unusable(`a shift of ${shiftOut}`);
      if (floored && Math.max(shiftA, shiftB) > 31) return flooredSum(form, a, b, add.rule);
      return { ...form, rule: add.rule };
    }
    case 'weighted':
      return weighted(state, node, [a, b], value, clamp, add);
    case 'saturating':
      return plainSum;
    case 'aligned': {
      // XNNPACK's and QNNPACK's quantized add; ratios in float32.
      const [ra, rb] = [f32(sa / so), f32(sb / so)];
      const shift = add.bits - frexp(Math.max(ra, rb))[1]; // bits - 1 - (its exponent - 1)
      if (shift < 0 || shift > 62) unusable(`a shift of ${shift}`);
      const [multiplierA, multiplierB] = [ra, rb].map((r) => roundHalfEven(r * 2 ** shift)) as [
        number,
        number,
      ];
      return { kind: 'aligned', multiplierA, multiplierB, shift, rule: add.rule };
    }
    case 'f32': {
      const direct = add.form === 'direct';
      const [scaleA, scaleB] = direct ? [sa, sb] : [f32(sa / so), f32(sb / so)];
      const scales = [scaleA, scaleB, so];
      if (scales.some((s) => s < 2 ** -64 || s > 2 ** 64)) unusable(scales.join(', '));
      return { kind: 'f32', form: add.form, scaleA, scaleB, scaleOut: so };
    }
    case 'pow2': {
      const [ea, eb, eo] = [sa, sb, so].map(exponentOf);
      if (ea === undefined || eb === undefined || eo === undefined)
        return unusable('no powers of two');
      const finest = Math.min(ea, eb, eo);
      if (Math.max(ea, eb) - finest > 30) unusable('more than 30 binary digits');
      const [multiplierA, multiplierB] = [2 ** (ea - finest), 2 ** (eb - finest)];
      return { kind: 'aligned', multiplierA, multiplierB, shift: eo - finest, rule: add.rule };
    }
  }
}

/** Integer weights for both operands, and the scale of their sum through the target's code. */
function weighted(
  state: LoweringState,
  node: QuantElementwise,
  [a, b]: readonly [QuantValue, QuantValue],
  value: QuantValue,
  clamp: CodeClamp,
  { bits, code }: Extract<TargetArithmetic['add'], { kind: 'weighted' }>,
): AddForm {
  const larger = Math.max(a.scale, b.scale);
  const step = a.scale === b.scale ? larger : larger / 2 ** (bits - 2);
  const [multiplierA, multiplierB] = [a, b].map(({ scale }) => roundHalfEven(scale / step)) as [
    number,
    number,
  ];
  const layer = {
    steps: [step],
    outputScale: value.scale,
    zeroPoint: value.zeroPoint,
    clamp,
    reach: farthest(a) * multiplierA + farthest(b) * multiplierB,
  };
  const requant = requantOf([step / value.scale], code, layer, (_, reason) =>
    state.refuse(node, reason),
  );
  return { kind: 'requant', multiplierA, multiplierB, requant };
}

function farthest({ dtype, zeroPoint }: QuantValue): number {
  const [least, greatest] = codeLimits(dtype);
  return Math.max(zeroPoint - least, greatest - zeroPoint);
}

/**
 * TensorFlow Lite's add.cc: both inputs relative to twice the larger scale, doubles throughout.
 * `folded`, as Vela and TFLite's lowering to TOSA do it: the shift is in the multipliers.
 */
function rescaled(
  leftShift: number,
  folded: boolean,
  sa: number,
  sb: number,
  so: number,
): Omit<Extract<AddForm, { kind: 'rescaled' }>, 'rule'> {
  const twice = 2 * Math.max(sa, sb);
  const unit = folded ? 2 ** leftShift : 1;
  const [a, b] = [sa, sb].map((s) => quantizeMultiplier((s * unit) / twice)) as [
    Multiplier,
    Multiplier,
  ];
  const out = quantizeMultiplier(twice / (2 ** leftShift * so));
  return {
    kind: 'rescaled',
    leftShift: folded ? 0 : leftShift,
    multiplierA: a.multiplier,
    shiftA: a.shift,
    multiplierB: b.multiplier,
    shiftB: b.shift,
    multiplierOut: out.multiplier,
    shiftOut: out.shift,
  };
}

/**
 * TensorFlow Lite's optimized add of u8 codes, as measured over all pairs of codes: a doubling high
 * multiply that rounds half up, then a shift that rounds down.
 */
function flooredSum(
  form: Omit<Extract<AddForm, { kind: 'rescaled' }>, 'rule'>,
  a: QuantValue,
  b: QuantValue,
  rule: FixedRule,
): AddForm {
  const table = ({ zeroPoint }: QuantValue, multiplier: number, shift: number): Int32Array =>
    Int32Array.from({ length: 256 }, (_, code) => {
      const high = fixedPoint((code - zeroPoint) * 2 ** form.leftShift, multiplier, 31, 'halfUp');
      return Math.floor(high / 2 ** (shift - 31));
    });
  return {
    kind: 'tables',
    tableA: table(a, form.multiplierA, form.shiftA),
    tableB: table(b, form.multiplierB, form.shiftB),
    requant: {
      kind: 'fixed',
      multiplier: Int32Array.of(form.multiplierOut),
      shift: Uint8Array.of(form.shiftOut),
      rule,
    },
  };
}

function lowerMul(state: LoweringState, node: QuantElementwise): void {
  const names = largerFirst(state, node.inputs);
  const [a, b] = names.map((name) => state.value(name)) as [QuantValue, QuantValue];
  const value = state.value(node.output);
  const inputs = names.map((name) => state.read(node, name));
  const output = state.write(node.output);
  const { height, width, channels } = imageOf(b)!;
  const repeated = height === 1 && width === 1 && channels === imageOf(a)!.channels;
  if (!sameImage(a, b) && !repeated) {
    state.refuse(
      node,
      'multiplies values whose shapes do not fit; expected equal ones, or C x H x W and C',
    );
  }
  const { product, code } = recipeOf(state.target.arithmetic, 'mul', a.dtype, a.dtype);
  const factor = scaleProduct(product, a.scale, b.scale, value.scale);
  const clamp = codeClamp(state, node, node.clamp, value, true);
  const layer = {
    steps: [a.scale * b.scale],
    outputScale: value.scale,
    zeroPoint: value.zeroPoint,
    clamp,
    reach: farthest(a) * farthest(b),
  };
  const requant = requantOf([factor], code, layer, (_, reason) => state.refuse(node, reason));
  state.ops.push({ op: 'mul', name: node.name, inputs, output, requant, clamp });
}

function largerFirst(state: LoweringState, names: readonly string[]): readonly string[] {
  const [a, b] = names.map((name) => imageOf(state.value(name))!);
  return b!.height * b!.width > a!.height * a!.width ? [...names].reverse() : names;
}
