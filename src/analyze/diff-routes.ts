// SPDX-License-Identifier: Apache-2.0
// The way from one target's form of a layer to another's, ingredient by ingredient, and what it
// says about the cause of their difference.
import { ModelError } from '../errors.js';
import { checkOp } from '../program/check.js';
import type { Op, ProgramTensor } from '../program/program.js';
import { Counts } from './diff-counts.js';
import type { Experiments } from './diff-experiments.js';
import type { Ingredient } from './diff-ingredients.js';
import { stepsBetween } from './diff-steps.js';
import type { Link } from './match-ops.js';

/** One step of the way between two arithmetics, run. */
export interface CauseStep {
  readonly ingredient: Ingredient;
  readonly detail: string;
  /** Codes that this exchange changes on the way. */
  readonly changed: number;
}

export interface Cause {
  /** The ingredient, or those that together make the difference, joined by " + ". */
  readonly text: string;
  /** Whether one ingredient exchanged alone makes all of the difference. */
  readonly alone: boolean;
  readonly steps: readonly CauseStep[];
}

/** A layer's way from the reference to one target, and what each stop on it computes. */
export interface Route {
  readonly steps: readonly {
    readonly ingredient: Ingredient;
    readonly detail: string;
    /** Names of results before and after this step on the way. */
    readonly before: string;
    readonly after: string;
    readonly changed: Counts;
    /** This step alone, from the reference; undefined where it has no such form. */
    readonly single: string | undefined;
    /** Of the step alone to the target. */
    readonly remaining: Counts;
  }[];
  /** The target's own result. */
  readonly end: string;
}

/** One exchange of an operation for others in its place. */
export function chainRoute(
  causes: Experiments,
  index: number,
  op: Op,
  chain: readonly Link[],
): Route {
  const end = causes.addChain(index, chain)!;
  const kinds = chain.map((link) => link.op.op);
  const all = [op.op, ...kinds];
  const ingredient = all.includes('averagePool')
    ? 'pool rounding'
    : all.includes('add')
      ? 'add form'
      : 'requantization form';
  const before = causes.add(index, op);
  const step = {
    before,
    after: end,
    single: end,
    changed: new Counts(),
    remaining: new Counts(),
  };
  return { steps: [{ ingredient, detail: `${op.op} to ${kinds.join(', ')}`, ...step }], end };
}

/** The ingredients of one operation exchanged one after the other. */
export function routeOf(
  causes: Experiments,
  tensors: readonly ProgramTensor[],
  index: number,
  a: Op,
  b: Op,
): Route {
  const end = causes.add(index, b);
  const steps: Route['steps'][number][] = [];
  let at: Op = a;
  const planned = stepsBetween(a, b);
  let skipped = false;
  for (const [k, { ingredient, detail, apply }] of planned.entries()) {
    const formOf = (op: Op): Op | undefined => {
      const form = apply(op);
      return form && admits(tensors, form) ? form : undefined;
    };
    const last = k === planned.length - 1;
    const next = last ? b : apply(at);
    if (next === undefined) continue; // No such form here: a later step includes it.
    if (next !== b && !admits(tensors, next)) {
      skipped = true; // It could not run; what includes it has no single ingredient.
      continue;
    }
    const single = planned.length === 1 ? b : formOf(a);
    steps.push({
      ingredient: skipped ? 'requantization form' : ingredient,
      detail,
      before: causes.add(index, at),
      after: causes.add(index, next),
      changed: new Counts(),
      single: single && causes.add(index, single),
      remaining: new Counts(),
    });
    at = next;
    skipped = false;
  }
  return { steps, end };
}

/** Whether an operation can run in place of one with the same tensors. */
function admits(tensors: readonly ProgramTensor[], op: Op): boolean {
  try {
    checkOp(tensors, op);
    return true;
  } catch (error) {
    if (error instanceof ModelError) return false;
    throw error;
  }
}

/**
 * One ingredient is the cause where it is the only one on the way that changes a code, or where it
 * alone, exchanged in the reference, already gives all of the target's codes.
 */
export function causeOf({ steps }: Route): Cause {
  const facts = steps.map(({ ingredient, detail, changed }) => {
    return { ingredient, detail, changed: changed.differing };
  });
  const active = steps.filter(({ changed }) => changed.differing > 0);
  const [only, ...more] = active;
  if (only && more.length === 0) return { text: only.ingredient, alone: true, steps: facts };
  const sufficient = active.find(
    ({ single, remaining }) =>
      single !== undefined && remaining.elements > 0 && remaining.differing === 0,
  );
  if (sufficient) return { text: sufficient.ingredient, alone: true, steps: facts };
  const names = [...active]
    .sort((x, y) => y.changed.differing - x.changed.differing)
    .map(({ ingredient }) => ingredient);
  return { text: [...new Set(names)].join(' + '), alone: false, steps: facts };
}
