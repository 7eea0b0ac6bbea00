// SPDX-License-Identifier: Apache-2.0
// Between two pipelines of the same stages that differ in widths, rules or constants.
import type { Op, Requant, Stage } from '../program/program.js';
import { same, type Slot, type Step } from './diff-ingredients.js';
import { ruleIngredient } from './diff-rules.js';

type Stages = readonly Stage[];
/** What becomes of stage `i`; others stay. */
type Change = (stage: Stage, i: number) => Stage;

/** @returns undefined where these are not the same stages */
export function alikeSteps(
  a: Requant,
  b: Requant,
  slot: Slot,
  exchange?: (op: Op) => Op,
): Step[] | undefined {
  if (a.kind !== 'stages' || b.kind !== 'stages') return undefined;
  const [from, to] = [a.stages, b.stages];
  if (kindsOf(from) !== kindsOf(to)) return undefined;
  const patch =
    (change: Change, more = (op: Op): Op => op): Step['apply'] =>
    (op) => {
      const state = slot.get(op);
      if (state?.requant.kind !== 'stages') return undefined;
      if (kindsOf(state.requant.stages) !== kindsOf(to)) return undefined;
      const stages = state.requant.stages.map(change);
      return slot.set(more(op), { ...state, requant: { kind: 'stages', stages } });
    };
  const each = to.flatMap((stage, i) => stepOfStage(from[i]!, stage, i, patch));
  const constants = changedConstants(from, to);
  if (constants.length === 0 && exchange === undefined) return each;
  const change: Change = (stage, i) => (isConstant(to, i) ? withRule(to[i]!, stage) : stage);
  return [{ ...nameOf(from, constants), apply: patch(change, exchange) }, ...each];
}

function kindsOf(stages: Stages): string {
  return stages.map(({ kind }) => kind).join();
}

/** What one stage has to itself: bounds, a bias before any scaling, a rounding rule. */
function stepOfStage(
  a: Stage,
  b: Stage,
  i: number,
  patch: (change: Change) => Step['apply'],
): Step[] {
  const place = `stage ${i + 1}`;
  const ruleA = 'rule' in a ? a.rule : undefined;
  const ruleB = 'rule' in b ? b.rule : undefined;
  if (ruleA !== undefined && ruleB !== undefined && ruleA !== ruleB) {
    const apply = patch((stage, k) => (k === i ? withRule(stage, b) : stage));
    const ingredient = ruleIngredient(ruleA, ruleB);
    return [{ ingredient, detail: `${place}: ${ruleA} to ${ruleB}`, apply }];
  }
  if (!(a.kind === 'saturate' || a.kind === 'clamp') || same(a, b)) return [];
  const detail =
    a.kind === 'saturate' && b.kind === 'saturate'
      ? `${place}: ${a.bits} to ${b.bits} bits`
      : `${place}: other bounds`;
  const apply = patch((stage, k) => (k === i ? b : stage));
  return [{ ingredient: 'stage saturation', detail, apply }];
}

/** Constants hang together: the scale that one stage leads to is the next one's. */
function isConstant(stages: Stages, i: number): boolean {
  const { kind } = stages[i]!;
  return kind !== 'saturate' && kind !== 'clamp';
}

function changedConstants(a: Stages, b: Stages): Stage[] {
  return b.filter((stage, i) => isConstant(b, i) && !same(withRule(stage, a[i]!), a[i]));
}

function nameOf(stages: Stages, changed: readonly Stage[]): Pick<Step, 'ingredient' | 'detail'> {
  if (stages.some(({ kind }) => kind === 'thresholds')) {
    return { ingredient: 'thresholds', detail: 'other thresholds' };
  }
  if (changed.length > 0 && changed.every(({ kind }) => kind === 'add')) {
    return { ingredient: 'bias alignment', detail: 'another bias in the stages' };
  }
  return { ingredient: 'multiplier recipe', detail: 'other constants of the stages' };
}

/** The stage with the rounding rule of another of its kind. */
function withRule(stage: Stage, other: Stage): Stage {
  return 'rule' in stage && 'rule' in other ? { ...stage, rule: other.rule } : stage;
}
