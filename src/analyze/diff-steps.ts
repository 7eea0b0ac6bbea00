// SPDX-License-Identifier: Apache-2.0
// The way from one target's form of an operation to another's, one ingredient of the arithmetic at
// a time. Each stop on the way is an operation that can run, so which ingredient changes codes is
// found by running, not by looking at names.
import type { AveragePoolOp, ConvOp, LutOp, MulOp, Op } from '../program/program.js';
import { addSteps } from './diff-adds.js';
import {
  bare,
  describe,
  same,
  type Ingredient,
  type Slot,
  type State,
  type Step,
} from './diff-ingredients.js';
import { inOrder, requantSteps } from './diff-requants.js';
import { isDouble } from './diff-rules.js';

/**
 * The steps from `a` to `b`, two forms of one layer. Applied one after the other to `a` they give
 * an operation that computes what `b` does. Empty where both are the same arithmetic.
 */
export function stepsBetween(a: Op, b: Op): readonly Step[] {
  if (a.op === 'conv' && b.op === 'conv') return convSteps(a, b);
  const clamp = clampSteps(a, b);
  if (a.op === 'mul' && b.op === 'mul') {
    return [...inOrder(requantSteps(stateOf(a), stateOf(b), inLayer)), ...clamp];
  }
  if (a.op === 'add' && b.op === 'add') return [...addSteps(a, b), ...clamp];
  if (a.op === 'averagePool' && b.op === 'averagePool') return [...poolSteps(a, b), ...clamp];
  if (a.op === 'lut' && b.op === 'lut') return tableSteps(a, b);
  if (a.op === 'softmax' && b.op === 'softmax') {
    const detail = `${describe(a.form)} to ${describe(b.form)}`;
    return same(a.form, b.form) ? [] : [whole('softmax form', detail, b)];
  }
  return clamp;
}

function whole(ingredient: Ingredient, detail: string, b: Op): Step {
  return { ingredient, detail, apply: () => b };
}

function convSteps(a: ConvOp, b: ConvOp): Step[] {
  const { leave, middle, enter, biases } = requantSteps(stateOf(a), stateOf(b), inLayer);
  const sums = [...biasSteps(...biases), ...accumulatorSteps(a, b)];
  const requant = [...middle, ...clampSteps(a, b)];
  // Double roundings exist up to 32 bits, so a wider accumulator comes after they are gone.
  const wide = b.accumulator.bits > 32;
  return [...leave, ...(wide ? [...requant, ...sums] : [...sums, ...requant]), ...enter];
}

/** Between biases in the accumulator; only an operation that still has the first can change it. */
function biasSteps(from: Int32Array | undefined, bias: Int32Array | undefined): Step[] {
  if (from === undefined || bias === undefined || same(from, bias)) return [];
  const apply = (op: Op): Op | undefined =>
    op.op === 'conv' && same(op.bias, from) ? { ...op, bias } : undefined;
  return [{ ...biasIngredient(from, bias), apply }];
}

/** Lost low bits are those of a register's alignment; anything more is its width. */
function biasIngredient(a: Int32Array, b: Int32Array): { ingredient: Ingredient; detail: string } {
  const [from, to] = [unitOf(a), unitOf(b)];
  const near = a.every((x, c) => Math.abs(x - b[c]!) < Math.max(from, to));
  return from !== to && near
    ? { ingredient: 'bias alignment', detail: `a bias in steps of ${from} to ${to}` }
    : { ingredient: 'bias width', detail: 'a bias that saturates' };
}

/** The largest power of two that divides all. */
function unitOf(bias: Int32Array): number {
  const bits = bias.reduce((all, b) => all | b, 0);
  return bits === 0 ? 1 : 2 ** (31 - Math.clz32(bits & -bits));
}

function accumulatorSteps({ accumulator: a }: ConvOp, { accumulator: b }: ConvOp): Step[] {
  const { products } = b;
  const pairs: Step = {
    ingredient: 'pair saturation',
    detail: `products ${a.products} to ${products}`,
    apply: (op) => {
      const conv = op as ConvOp;
      if (products === 'satPairs16' && conv.accumulator.when === 'each') return undefined;
      return { ...conv, accumulator: { ...conv.accumulator, products } };
    },
  };
  const text = (x: typeof a): string =>
    `${x.bits} bits, ${x.overflow} at ${x.when === 'each' ? 'each step' : 'the end'}${x.biasFirst ? ', bias first' : ''}`;
  const width: Step = {
    ingredient: 'accumulator overflow',
    detail: `${text(a)} to ${text(b)}`,
    apply: (op) => {
      const conv = op as ConvOp;
      const accumulator = { ...b, products: conv.accumulator.products };
      if (accumulator.products === 'satPairs16' && b.when === 'each') return undefined;
      return allowed({ ...conv, accumulator });
    },
  };
  const changedPairs = a.products === products ? [] : [pairs];
  const changedWidth = same({ ...a, products }, b) ? [] : [width];
  // Pairs saturate only where overflow is looked at once, at the end.
  return products === 'satPairs16'
    ? [...changedWidth, ...changedPairs]
    : [...changedPairs, ...changedWidth];
}

function allowed(op: ConvOp): ConvOp | undefined {
  const { requant, accumulator } = op;
  const double = requant.kind === 'fixed' && isDouble(requant.rule);
  return double && accumulator.bits > 32 ? undefined : op;
}

function clampSteps(a: Op, b: Op): Step[] {
  if (!('clamp' in a && 'clamp' in b) || same(a.clamp, b.clamp)) return [];
  const { clamp } = b;
  const text = ({ lo, hi }: typeof clamp): string =>
    lo.length + hi.length > 2 ? 'per channel' : `[${lo[0]!}, ${hi[0]!}]`;
  const apply = (op: Op): Op => ({ ...op, clamp }) as Op;
  return [{ ingredient: 'clamp encoding', detail: `${text(a.clamp)} to ${text(clamp)}`, apply }];
}

function stateOf(op: ConvOp | MulOp): State {
  return { requant: op.requant, bias: op.op === 'conv' ? op.bias : undefined };
}

const inLayer: Slot = {
  get: (op) => (op.op === 'conv' || op.op === 'mul' ? stateOf(op) : undefined),
  set: (op, { requant, bias }) => {
    if (op.op === 'conv') return allowed({ ...op, requant, bias: bias ?? op.bias });
    return op.op === 'mul' ? { ...op, requant } : undefined;
  },
};

const inPool: Slot = {
  get: (op) =>
    op.op === 'averagePool' && op.form.kind === 'requant' ? bare(op.form.requant) : undefined,
  set: (op, { requant }) =>
    op.op === 'averagePool' ? { ...op, form: { kind: 'requant', requant } } : undefined,
};

/** Whatever differs in a mean is its rounding; the detail says which part of it. */
function poolSteps({ form: a }: AveragePoolOp, b: AveragePoolOp): Step[] {
  if (same(a, b.form)) return [];
  if (a.kind === 'requant' && b.form.kind === 'requant') {
    const steps = inOrder(requantSteps(bare(a.requant), bare(b.form.requant), inPool));
    return steps.map((step) => ({
      ...step,
      ingredient: 'pool rounding',
      detail: `${step.ingredient}: ${step.detail}`,
    }));
  }
  const { form } = b;
  const detail = `${describe(a)} to ${describe(form)}`;
  const apply = (op: Op): Op => ({ ...(op as AveragePoolOp), form });
  return [{ ingredient: 'pool rounding', detail, apply }];
}

function tableSteps(a: LutOp, b: LutOp): Step[] {
  const entries = a.table.filter((code, i) => code !== b.table[i]).length;
  return entries === 0 ? [] : [whole('function form', `${entries} of 256 table entries`, b)];
}
