// SPDX-License-Identifier: Apache-2.0
// From one rounding rule to another: double roundings first become single ones, then ties move.
import type { FixedRule } from '../numeric/requant.js';
import type { FloatRule, RoundRule } from '../numeric/round.js';
import type { Ingredient, Step } from './diff-ingredients.js';

/** What a double rounding becomes when it rounds once: it treats exact ties in the same way. */
const roundedOnce = { gemmlowp2: 'halfAway', ruyx86: 'halfUp' } as const;

export function isDouble(rule: FixedRule): rule is keyof typeof roundedOnce {
  return Object.hasOwn(roundedOnce, rule);
}

/** What a change of rule, each rounding once, is called. */
export function ruleIngredient(a: RoundRule | FloatRule, b: RoundRule | FloatRule): Ingredient {
  const nearest = (rule: string): boolean => rule.startsWith('half') || rule === 'addHalfFloor';
  return nearest(a) && nearest(b) ? 'tie rounding' : 'rounding rule';
}

/**
 * @param patch makes of a change of the rule the change of an operation; a rule that becomes
 *   undefined has no such form
 * @returns what comes before an exchange of multipliers, and what comes after it
 */
export function ruleSteps(
  a: FixedRule,
  b: FixedRule,
  patch: (change: (rule: FixedRule) => FixedRule | undefined) => Step['apply'],
): { leave: Step[]; enter: Step[] } {
  if (a === b) return { leave: [], enter: [] };
  if (isDouble(a) && isDouble(b)) {
    const detail = `${a} to ${b}`;
    return { leave: [{ ingredient: 'double rounding', detail, apply: patch(() => b) }], enter: [] };
  }
  const [plainA, plainB] = [a, b].map((rule) => (isDouble(rule) ? roundedOnce[rule] : rule)) as [
    RoundRule,
    RoundRule,
  ];
  const leave: Step[] = [];
  const enter: Step[] = [];
  if (isDouble(a)) {
    const detail = `${a} to ${plainA}: twice to once`;
    leave.push({ ingredient: 'double rounding', detail, apply: patch(() => plainA) });
  }
  if (plainA !== plainB) {
    leave.push({
      ingredient: ruleIngredient(plainA, plainB),
      detail: `${plainA} to ${plainB}`,
      apply: patch((rule) => (isDouble(rule) ? undefined : plainB)),
    });
  }
  if (isDouble(b)) {
    const detail = `${plainB} to ${b}: once to twice`;
    const apply = patch((rule) => (rule === plainB ? b : undefined));
    enter.push({ ingredient: 'double rounding', detail, apply });
  }
  return { leave, enter };
}
