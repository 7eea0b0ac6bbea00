// SPDX-License-Identifier: Apache-2.0
// From one form of an addition to another.
import type { AddForm, AddOp, Op } from '../program/program.js';
import { bare, describe, same, type Slot, type Step } from './diff-ingredients.js';
import { enterSteps, inOrder, leaveStep, requantSteps, unwind } from './diff-requants.js';
import { ruleSteps } from './diff-rules.js';

type Weighted = Extract<AddForm, { kind: 'requant' }>;

/** Between two additions. */
export function addSteps({ form: a }: AddOp, { form: b }: AddOp): Step[] {
  if (same(a, b)) return [];
  if (a.kind === 'requant' || b.kind === 'requant') return weightedSteps(a, b);
  const set = (op: Op, form: AddForm): Op => ({ ...(op as AddOp), form });
  const other: Step = {
    ingredient: 'add form',
    detail: `${describe(a)} to ${describe(b)}`,
    apply: (op) => set(op, b),
  };
  if (!rounds(a) || !rounds(b) || a.kind !== b.kind) return [other];
  const rules = ruleSteps(a.rule, b.rule, (change) => (op) => {
    const { form } = op as AddOp;
    if (!rounds(form)) return undefined;
    const rule = change(form.rule);
    return rule === undefined ? undefined : set(op, { ...form, rule } as AddForm);
  });
  const factors: Step = {
    ingredient: 'multiplier recipe',
    detail: 'other multipliers of the operands',
    apply: (op) => {
      const { form } = op as AddOp;
      return rounds(form) ? set(op, { ...b, rule: form.rule } as AddForm) : undefined;
    },
  };
  const changed = same({ ...a, rule: b.rule }, b) ? [] : [factors];
  return [...rules.leave, ...changed, ...rules.enter];
}

/** Whether one rule rounds everywhere in an addition. */
function rounds(form: AddForm): form is Extract<AddForm, { kind: 'rescaled' | 'aligned' }> {
  return form.kind === 'rescaled' || form.kind === 'aligned';
}

/** Where at least one side is a weighted sum through a requantization. */
function weightedSteps(a: AddForm, b: AddForm): Step[] {
  const [from, to] = [weightedOf(a), weightedOf(b)];
  if (from !== undefined && to !== undefined) {
    const { multiplierA, multiplierB } = to;
    const equal = from.multiplierA === multiplierA && from.multiplierB === multiplierB;
    const exchange = (op: Op): Op => {
      const form = op.op === 'add' ? weightedOf(op.form) : undefined;
      return form ? ({ ...op, form: { ...form, multiplierA, multiplierB } } as AddOp) : op;
    };
    const [first, second] = [bare(from.requant), bare(to.requant)];
    return inOrder(requantSteps(first, second, inSum, equal ? undefined : exchange));
  }
  // No weights on the other side: first the plain form of the side that has them.
  const down = from && unwind(bare(from.requant));
  const up = to && unwind(bare(to.requant));
  const plain = to && up ? { ...to, requant: up.plain.requant } : b;
  const other: Step = {
    ingredient: 'add form',
    detail: `${describe(a)} to ${describe(plain)}`,
    apply: (op) => ({ ...(op as AddOp), form: plain }),
  };
  const leave = down?.turns.map((turn) => leaveStep(turn, inSum)) ?? [];
  return [...leave, other, ...(up ? enterSteps(up, inSum) : [])];
}

/** A sum aligned by one shift is a weighted one through that shift. */
function weightedOf(form: AddForm): Weighted | undefined {
  if (form.kind === 'requant') return form;
  if (form.kind !== 'aligned') return undefined;
  const { multiplierA, multiplierB, shift, rule } = form;
  const requant = { kind: 'shift', shift: Int8Array.of(shift), rule } as const;
  return { kind: 'requant', multiplierA, multiplierB, requant };
}

const inSum: Slot = {
  get: (op) => {
    const form = op.op === 'add' ? weightedOf(op.form) : undefined;
    return form && bare(form.requant);
  },
  set: (op, { requant }) => {
    const form = op.op === 'add' ? weightedOf(op.form) : undefined;
    return form && ({ ...op, form: { ...form, requant } } as AddOp);
  },
};
