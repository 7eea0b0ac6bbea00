// SPDX-License-Identifier: Apache-2.0
// From one requantization to another, one ingredient at a time: down from the first to one
// multiplier and one rounding, over to those of the second, and up to it.
import { significand } from '../numeric/multipliers.js';
import type { FloatRule } from '../numeric/round.js';
import type { Op, Requant } from '../program/program.js';
import { alikeSteps } from './diff-alike-stages.js';
import { same, type Slot, type State, type Step } from './diff-ingredients.js';
import { isDouble, ruleIngredient, ruleSteps } from './diff-rules.js';
import {
  addsScaledBias,
  bitsOf,
  singleStage,
  unwindStages,
  type Fixed,
  type Partner,
  type Turn,
} from './diff-stages.js';

/** The steps between two requantizations, in the order in which they are taken. */
export interface RequantSteps {
  /** Down from the first to its plain form. */
  readonly leave: readonly Step[];
  readonly middle: readonly Step[];
  /** From the plain form of the second up to it. */
  readonly enter: readonly Step[];
  /** The biases of both plain forms. */
  readonly biases: readonly [Int32Array | undefined, Int32Array | undefined];
}

/** A requantization without what stands around one multiplier and one rounding. */
export interface Unwound {
  readonly turns: readonly Turn[];
  readonly plain: State & { readonly requant: Fixed };
}

const alone: Partner = { fixed: undefined, bias: undefined };

/**
 * @param a what `slot` holds in the first operation
 * @param b and in the second
 * @param exchange what else changes together with the multipliers
 */
export function requantSteps(
  a: State,
  b: State,
  slot: Slot,
  exchange?: (op: Op) => Op,
): RequantSteps {
  const only = (middle: readonly Step[]): RequantSteps => {
    return { leave: [], middle, enter: [], biases: [a.bias, b.bias] };
  };
  if (same(a.requant, b.requant) && exchange === undefined) return only([]);
  const floats = floatSteps(a.requant, b.requant, slot, exchange);
  if (floats !== undefined) return only(floats);
  const alike = alikeSteps(a.requant, b.requant, slot, exchange);
  if (alike !== undefined) return only(alike);
  const [own, other] = [unwind(a, alone), unwind(b, alone)];
  const from = unwind(a, partnerOf(b, other));
  const to = unwind(b, partnerOf(a, own));
  if (from === undefined || to === undefined) return only([wholeStep(a, b, slot, exchange)]);
  return {
    leave: from.turns.map((turn) => leaveStep(turn, slot)),
    middle: fixedSteps(from.plain.requant, to.plain.requant, slot, exchange),
    enter: enterSteps(to, slot),
    biases: [from.plain.bias, to.plain.bias],
  };
}

/** All steps of operations without a bias. */
export function inOrder({ leave, middle, enter }: RequantSteps): Step[] {
  return [...leave, ...middle, ...enter];
}

/** Down to a plain form; undefined where there is none. */
export function unwind(state: State, partner: Partner = alone): Unwound | undefined {
  const fixed = asFixed(state.requant);
  if (fixed !== undefined) return { turns: [], plain: { ...state, requant: fixed } };
  const turns = turnsOf(state, partner);
  const last = turns?.at(-1)?.after;
  const requant = last && asFixed(last.requant);
  return turns && requant && { turns, plain: { ...last, requant } };
}

export function leaveStep(turn: Turn, slot: Slot): Step {
  const { ingredient, withIt, without, before, after } = turn;
  return {
    ingredient,
    detail: `${withIt}, to ${without}`,
    apply: (op) => (sameState(slot.get(op), before) ? slot.set(op, after) : undefined),
  };
}

/** The turns backwards. */
export function enterSteps({ turns }: Unwound, slot: Slot): Step[] {
  return turns.toReversed().map(({ ingredient, withIt, without, before, after }) => ({
    ingredient,
    detail: `${without}, to ${withIt}`,
    apply: (op) => (sameState(slot.get(op), after) ? slot.set(op, before) : undefined),
  }));
}

function turnsOf(state: State, partner: Partner): readonly Turn[] | undefined {
  const { requant, bias } = state;
  if (requant.kind === 'stages') return unwindStages(requant, bias, partner);
  const exact = exactFloat(requant);
  if (exact === undefined) return undefined;
  const withIt = 'sum and product rounded to float32';
  const after = { ...state, requant: exact };
  const ingredient = 'float requantization';
  return [{ ingredient, withIt, without: 'an exact product', before: state, after }];
}

function partnerOf({ requant, bias }: State, unwound: Unwound | undefined): Partner {
  const fixed = unwound?.plain.requant;
  if (addsScaledBias(requant)) return { fixed, bias: undefined };
  return { fixed, bias: unwound ? unwound.plain.bias : bias };
}

/** Whether both compute the same, whatever their kinds. */
function sameState(a: State | undefined, b: State): boolean {
  if (a === undefined || !same(a.bias, b.bias)) return false;
  const [x, y] = [asFixed(a.requant), asFixed(b.requant)];
  return x && y ? same(reduced(x), reduced(y)) : same(a.requant, b.requant);
}

/** In lowest terms; a double rounding's first one looks at the shift, so its terms stay. */
function reduced(fixed: Fixed): Fixed {
  if (isDouble(fixed.rule)) return fixed;
  const pairs = Array.from(
    { length: Math.max(fixed.multiplier.length, fixed.shift.length) },
    (_, c): readonly [number, number] => {
      const [m, s] = [fixed.multiplier, fixed.shift].map((x) => x[x.length === 1 ? 0 : c]!) as [
        number,
        number,
      ];
      if (m === 0) return [0, 1];
      const zeros = Math.min(31 - Math.clz32(m & -m), s - 1);
      return [m >>> zeros, s - zeros];
    },
  );
  return {
    ...fixed,
    multiplier: Int32Array.from(pairs, ([m]) => m),
    shift: Uint8Array.from(pairs, ([, s]) => s),
  };
}

function wholeStep(a: State, b: State, slot: Slot, exchange = (op: Op): Op => op): Step {
  return {
    ingredient: 'requantization form',
    detail: `${a.requant.kind} to ${b.requant.kind}`,
    apply: (op) => {
      const state = slot.get(op);
      return state && slot.set(exchange(op), { ...state, requant: b.requant });
    },
  };
}

/**
 * Integer multipliers that compute the same: those of a shift are powers of two. Undefined where
 * there are none.
 */
function asFixed(requant: Requant): Fixed | undefined {
  if (requant.kind === 'fixed') return requant;
  if (requant.kind === 'stages') return singleStage(requant);
  if (requant.kind !== 'shift') return undefined;
  const shifts = Array.from(requant.shift);
  if (shifts.some((s) => s < -29)) return undefined;
  return {
    kind: 'fixed',
    multiplier: Int32Array.from(shifts, (s) => (s > 0 ? 1 : 2 ** (1 - s))),
    shift: Uint8Array.from(shifts, (s) => Math.max(s, 1)),
    rule: requant.rule,
  };
}

/** Float32 scales by their 24-bit significands, with an exact product. */
function exactFloat(requant: Requant): Fixed | undefined {
  const float = asFloat(requant);
  if (float === undefined) return undefined;
  const parts = Array.from(float.scale, significand);
  if (parts.some(({ shift }) => shift < 1 || shift > 62)) return undefined;
  return {
    kind: 'fixed',
    multiplier: Int32Array.from(parts, ({ multiplier }) => multiplier),
    shift: Uint8Array.from(parts, ({ shift }) => shift),
    rule: float.rule === 'addHalfFloor' ? 'halfUp' : float.rule,
  };
}

function asFloat(requant: Requant): { scale: Float32Array; rule: FloatRule } | undefined {
  if (requant.kind === 'f32') return { scale: requant.scale, rule: 'halfEven' };
  return requant.kind === 'f32Rule' ? requant : undefined;
}

/** Between two float32 requantizations; undefined for others. */
function floatSteps(
  a: Requant,
  b: Requant,
  slot: Slot,
  exchange?: (op: Op) => Op,
): Step[] | undefined {
  const [from, to] = [asFloat(a), asFloat(b)];
  if (from === undefined || to === undefined) return undefined;
  const step = (
    ingredient: Step['ingredient'],
    detail: string,
    change: Partial<typeof to>,
    more = (op: Op): Op => op,
  ): Step => ({
    ingredient,
    detail,
    apply: (op) => {
      const state = slot.get(op);
      const float = state && asFloat(state.requant);
      if (float === undefined) return undefined;
      const { scale, rule } = { ...float, ...change };
      const requant: Requant =
        rule === 'halfEven' ? { kind: 'f32', scale } : { kind: 'f32Rule', scale, rule };
      return slot.set(more(op), { ...state!, requant });
    },
  });
  const { rule, scale } = to;
  const ties = step(ruleIngredient(from.rule, rule), `${from.rule} to ${rule}`, { rule });
  const factors = step('multiplier recipe', 'another float32 scale', { scale }, exchange);
  const equal = same(from.scale, scale) && exchange === undefined;
  return [...(equal ? [] : [factors]), ...(from.rule === rule ? [] : [ties])];
}

function fixedSteps(a: Fixed, b: Fixed, slot: Slot, exchange?: (op: Op) => Op): Step[] {
  const patch =
    (change: (requant: Fixed) => Fixed | undefined, more = (op: Op): Op => op) =>
    (op: Op): Op | undefined => {
      const state = slot.get(op);
      const fixed = state && asFixed(state.requant);
      const requant = fixed && change(fixed);
      return requant && slot.set(more(op), { ...state, requant });
    };
  const rules = ruleSteps(a.rule, b.rule, (change) =>
    patch((requant) => {
      const rule = change(requant.rule);
      return rule === undefined ? undefined : { ...requant, rule };
    }),
  );
  const { multiplier, shift } = b;
  const factors: Step = {
    ingredient: 'multiplier recipe',
    detail:
      bitsOf(a) === bitsOf(b)
        ? `other multipliers of ${bitsOf(a)} bits`
        : `multipliers of ${bitsOf(a)} to ${bitsOf(b)} bits`,
    apply: patch((requant) => ({ ...requant, multiplier, shift }), exchange),
  };
  const terms = (x: Fixed): unknown => (isDouble(b.rule) ? x : reduced(x));
  const equal = same(terms({ ...a, rule: 'halfUp' }), terms({ ...b, rule: 'halfUp' }));
  return [...rules.leave, ...(equal && exchange === undefined ? [] : [factors]), ...rules.enter];
}
