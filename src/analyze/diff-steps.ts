// SPDX-License-Identifier: Apache-2.0
// The way from one target's form of an operation to another's, one ingredient of the arithmetic at
// a time. Each stop on the way is an operation that can run, so which ingredient changes codes is
// found by running, not by looking at names.
import { significand } from '../program/lower/multipliers.js';
import type {
  AddForm,
  AddOp,
  AveragePoolOp,
  ConvOp,
  FixedRule,
  LutOp,
  Op,
  Requant,
  RoundRule,
} from '../program/program.js';

/** What can make two targets differ. */
export type Ingredient =
  | 'input quantization'
  | 'tie rounding'
  | 'rounding rule'
  | 'double rounding'
  | 'multiplier recipe'
  | 'float requantization'
  | 'pair saturation'
  | 'accumulator overflow'
  | 'bias width'
  | 'clamp encoding'
  | 'add form'
  | 'pool rounding'
  | 'softmax form'
  | 'function form'
  | 'requantization form';

/** One ingredient exchanged. */
export interface Step {
  readonly ingredient: Ingredient;
  /** From what to what. */
  readonly detail: string;
  /** The operation with this ingredient exchanged; undefined where it has no such form. */
  readonly apply: (op: Op) => Op | undefined;
}

type Fixed = Extract<Requant, { kind: 'fixed' }>;

/**
 * The steps from `a` to `b`, two forms of one layer. Applied one after the other to `a` they give
 * an operation that computes what `b` does. Empty where both are the same arithmetic.
 */
export function stepsBetween(a: Op, b: Op): readonly Step[] {
  if (a.op === 'conv' && b.op === 'conv') return convSteps(a, b);
  const clamp = clampSteps(a, b);
  if (a.op === 'mul' && b.op === 'mul') {
    return [...requantSteps(a.requant, b.requant, setRequant), ...clamp];
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

/** Whether two pieces of arithmetic are the same, entry by entry. */
export function same(a: unknown, b: unknown): boolean {
  return fingerprint(a) === fingerprint(b);
}

/** Text that is equal for equal arithmetic; arrays count by their entries. */
export function fingerprint(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    ArrayBuffer.isView(part) ? Array.from(part as unknown as ArrayLike<number>).join() : part,
  );
}

function whole(ingredient: Ingredient, detail: string, b: Op): Step {
  return { ingredient, detail, apply: () => b };
}

function convSteps(a: ConvOp, b: ConvOp): Step[] {
  const sums = [...biasSteps(a, b), ...accumulatorSteps(a, b)];
  const requant = [...requantSteps(a.requant, b.requant, setRequant), ...clampSteps(a, b)];
  // Double roundings exist up to 32 bits, so a wider accumulator comes after they are gone.
  return b.accumulator.bits > 32 ? [...requant, ...sums] : [...sums, ...requant];
}

function biasSteps(a: ConvOp, { bias }: ConvOp): Step[] {
  if (same(a.bias, bias)) return [];
  const apply = (op: Op): Op => ({ ...(op as ConvOp), bias });
  return [{ ingredient: 'bias width', detail: 'a bias that saturates', apply }];
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

/** How a requantization sits in an operation. */
interface Slot {
  get(op: Op): Requant | undefined;
  set(op: Op, requant: Requant): Op | undefined;
}

const setRequant: Slot = {
  get: (op) => (op.op === 'conv' || op.op === 'mul' ? op.requant : undefined),
  set: (op, requant) => {
    if (op.op === 'conv') return allowed({ ...op, requant });
    return op.op === 'mul' ? { ...op, requant } : undefined;
  },
};

const setPoolRequant: Slot = {
  get: (op) =>
    op.op === 'averagePool' && op.form.kind === 'requant' ? op.form.requant : undefined,
  set: (op, requant) =>
    op.op === 'averagePool' ? { ...op, form: { kind: 'requant', requant } } : undefined,
};

function requantSteps(a: Requant, b: Requant, slot: Slot): Step[] {
  if (same(a, b)) return [];
  if (a.kind === 'f32' && b.kind === 'f32') {
    const detail = 'another float32 scale';
    return [{ ingredient: 'multiplier recipe', detail, apply: (op) => slot.set(op, b) }];
  }
  const [from, to] = [asFixed(a), asFixed(b)];
  if (from === undefined || to === undefined) {
    const detail = `${a.kind} to ${b.kind}`;
    return [{ ingredient: 'requantization form', detail, apply: (op) => slot.set(op, b) }];
  }
  const leave: Step = {
    ingredient: 'float requantization',
    detail: 'sum and product rounded to float32, to an exact product',
    apply: (op) => (same(slot.get(op), a) ? slot.set(op, from) : undefined),
  };
  const enter: Step = {
    ingredient: 'float requantization',
    detail: 'an exact product, to sum and product rounded to float32',
    apply: (op) => (same(fixedIn(op, slot), to) ? slot.set(op, b) : undefined),
  };
  return [
    ...(a.kind === 'f32' ? [leave] : []),
    ...fixedSteps(from, to, slot),
    ...(b.kind === 'f32' ? [enter] : []),
  ];
}

/**
 * The same factors as integer multipliers: those of a shift are powers of two, those of float32
 * scales their 24-bit significands, rounded half to even, but with an exact product.
 */
function asFixed(requant: Requant): Fixed | undefined {
  switch (requant.kind) {
    case 'none':
    case 'stages':
    case 'f32Rule':
      return undefined;
    case 'fixed':
      return requant;
    case 'shift': {
      const shifts = Array.from(requant.shift);
      if (shifts.some((s) => s < -29)) return undefined;
      return {
        kind: 'fixed',
        multiplier: Int32Array.from(shifts, (s) => (s > 0 ? 1 : 2 ** (1 - s))),
        shift: Uint8Array.from(shifts, (s) => Math.max(s, 1)),
        rule: requant.rule,
      };
    }
    case 'f32': {
      const parts = Array.from(requant.scale, significand);
      if (parts.some(({ shift }) => shift < 1 || shift > 62)) return undefined;
      return {
        kind: 'fixed',
        multiplier: Int32Array.from(parts, ({ multiplier }) => multiplier),
        shift: Uint8Array.from(parts, ({ shift }) => shift),
        rule: 'halfEven',
      };
    }
  }
}

function fixedIn(op: Op, slot: Slot): Fixed | undefined {
  const requant = slot.get(op);
  return requant === undefined || requant.kind === 'f32' ? undefined : asFixed(requant);
}

function fixedSteps(a: Fixed, b: Fixed, slot: Slot): Step[] {
  const patch =
    (change: (requant: Fixed) => Fixed | undefined) =>
    (op: Op): Op | undefined => {
      const requant = fixedIn(op, slot);
      const changed = requant && change(requant);
      return changed && slot.set(op, changed);
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
    apply: patch((requant) => ({ ...requant, multiplier, shift })),
  };
  const changed = same([a.multiplier, a.shift], [multiplier, shift]) ? [] : [factors];
  return [...rules.leave, ...changed, ...rules.enter];
}

function bitsOf({ multiplier }: Fixed): number {
  return 32 - Math.clz32(multiplier.reduce((most, m) => Math.max(most, m), 0));
}

/** What a double rounding becomes when it rounds once: it treats exact ties in the same way. */
const roundedOnce = { gemmlowp2: 'halfAway', ruyx86: 'halfUp' } as const;

function isDouble(rule: FixedRule): rule is keyof typeof roundedOnce {
  return Object.hasOwn(roundedOnce, rule);
}

function ruleSteps(
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
    const ties = plainA.startsWith('half') && plainB.startsWith('half');
    leave.push({
      ingredient: ties ? 'tie rounding' : 'rounding rule',
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

function addSteps({ form: a }: AddOp, { form: b }: AddOp): Step[] {
  if (same(a, b)) return [];
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

/** Whatever differs in a mean is its rounding; the detail says which part of it. */
function poolSteps({ form: a }: AveragePoolOp, b: AveragePoolOp): Step[] {
  if (same(a, b.form)) return [];
  if (a.kind === 'requant' && b.form.kind === 'requant') {
    return requantSteps(a.requant, b.form.requant, setPoolRequant).map((step) => ({
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

function describe(form: {
  readonly kind: string;
  readonly rule?: string;
  readonly form?: string;
}): string {
  const more = form.rule ?? form.form;
  return more === undefined ? form.kind : `${form.kind} ${more}`;
}
