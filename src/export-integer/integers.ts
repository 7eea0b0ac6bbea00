// SPDX-License-Identifier: Apache-2.0
// Exact arithmetic on int64 tensors. Each value carries its bounds, so that a file is written only
// where no step can leave 64 bits.
import {
  type Bounds,
  type Interval,
  type Vector,
  byChannel,
  entry,
  hull,
  larger,
  mapEnds,
  smaller,
} from './bounds.js';
import { type CodesTensor, type Steps, rangeOf } from './steps.js';

/** tensor + offset: an s64 tensor [1, C, H, W], and a constant that is not added yet. */
export interface Integers {
  readonly tensor: string;
  /** Added when the value is next needed; so constants that meet become one. */
  readonly offset: Vector;
  /** Of the sum. */
  readonly bounds: Bounds;
}

const zero: Vector = [0n];
const least64 = -(1n << 63n);
const greatest64 = (1n << 63n) - 1n;

/** An s64 tensor as it is. @throws ModelError where its bounds need more bits */
export function integers(steps: Steps, tensor: string, bounds: Bounds): Integers {
  requireWide(steps, bounds);
  return { tensor, offset: zero, bounds };
}

function requireWide(steps: Steps, bounds: Bounds): void {
  if (fits(bounds)) return;
  const [least, greatest] = hull(bounds.flat());
  const bits = larger(greatest, -least).toString(2).length + 1;
  steps.refuse(`an intermediate value needs ${bits} bits and ONNX has 64`);
}

function fits(bounds: Bounds): boolean {
  return bounds.every(([least, greatest]) => least >= least64 && greatest <= greatest64);
}

/** Codes as they are. */
export function ofCodes(steps: Steps, { tensor, dtype }: CodesTensor): Integers {
  return integers(steps, steps.cast(tensor, 's64'), [rangeOf(dtype)]);
}

/** Codes less their zero point. */
export function centred(steps: Steps, codes: CodesTensor): Integers {
  return plus(ofCodes(steps, codes), [-BigInt(codes.zeroPoint)]);
}

/** a + addend, later. */
export function plus(a: Integers, addend: Vector): Integers {
  return {
    tensor: a.tensor,
    offset: byChannel([a.offset, addend], (c) => entry(a.offset, c) + entry(addend, c)),
    bounds: mapEnds(a.bounds, [addend], (v, c) => v + entry(addend, c)),
  };
}

/** The tensor of a, its offset added. */
export function settle(steps: Steps, a: Integers): string {
  requireWide(steps, a.bounds);
  if (a.offset.every((value) => value === 0n)) return a.tensor;
  return steps.node('Add', [a.tensor, steps.vector(a.offset)]);
}

export function times(steps: Steps, a: Integers, factor: Vector): Integers {
  if (factor.every((value) => value === 1n)) return a;
  const scaled = (v: bigint, c: number): bigint => v * entry(factor, c);
  const bounds = mapEnds(a.bounds, [factor], scaled);
  requireWide(steps, bounds);
  // The offset can wait where the product without it has 64 bits, too.
  const late = fits(mapEnds(bare(a), [factor], scaled));
  const tensor = steps.node('Mul', [late ? a.tensor : settle(steps, a), steps.vector(factor)]);
  const offset = byChannel([a.offset, factor], (c) => scaled(entry(a.offset, c), c));
  return { tensor, offset: late ? offset : zero, bounds };
}

/** The bounds of the tensor alone. */
function bare({ bounds, offset }: Pick<Integers, 'bounds' | 'offset'>): Bounds {
  return mapEnds(bounds, [offset], (v, c) => v - entry(offset, c));
}

export function sum(steps: Steps, a: Integers, b: Integers): Integers {
  const bounds = sumOfBounds(a.bounds, b.bounds);
  const offset = byChannel([a.offset, b.offset], (c) => entry(a.offset, c) + entry(b.offset, c));
  // Without their offsets the two may lie elsewhere; so may the sum.
  const late = fits(bare({ bounds, offset })) ? { a: a.tensor, b: b.tensor, offset } : undefined;
  const operands = late ?? { a: settle(steps, a), b: settle(steps, b), offset: zero };
  requireWide(steps, bounds);
  return {
    tensor: steps.node('Add', [operands.a, operands.b]),
    offset: operands.offset,
    bounds,
  };
}

function sumOfBounds(a: Bounds, b: Bounds): Bounds {
  return byChannel([a, b], (c): Interval => {
    const [x, y] = [entry(a, c), entry(b, c)];
    return [x[0] + y[0], x[1] + y[1]];
  });
}

export function product(steps: Steps, a: Integers, b: Integers): Integers {
  const bounds = byChannel([a.bounds, b.bounds], (c) => {
    const other = entry(b.bounds, c);
    return hull(entry(a.bounds, c).flatMap((x) => other.map((y) => x * y)));
  });
  return integers(steps, steps.node('Mul', [settle(steps, a), settle(steps, b)]), bounds);
}

/** The floor of a / divisor, for divisors above 0. */
export function floorQuotient(steps: Steps, a: Integers, divisor: Vector): Integers {
  if (divisor.every((value) => value === 1n)) return a;
  const bounds = mapEnds(a.bounds, [divisor], (v, c) => floored(v, entry(divisor, c)));
  // ONNX truncates, which is the floor of what is not negative: whole divisors make it so.
  const lift = liftOf(a.bounds, divisor);
  const raised = plus(a, multiples(lift, divisor));
  if (!fits(raised.bounds)) return floorByRemainder(steps, a, divisor, bounds);
  const quotient = steps.node('Div', [settle(steps, raised), steps.vector(divisor)]);
  return { tensor: quotient, offset: lift.map((value) => -value), bounds };
}

/** How many divisors make numbers within the bounds not negative. */
function liftOf(bounds: Bounds, divisor: Vector): Vector {
  return byChannel([bounds, divisor], (c) =>
    larger(0n, -floored(entry(bounds, c)[0], entry(divisor, c))),
  );
}

function multiples(count: Vector, of: Vector): Vector {
  return byChannel([count, of], (c) => entry(count, c) * entry(of, c));
}

/**
 * The floor of (p + addend) / divisor, with one addend where `a` is negative and another where it is
 * not. What lifts the dividend above 0 goes into both, so that there is one addition.
 */
export function floorQuotientBySign(
  steps: Steps,
  p: Integers,
  a: Integers,
  [negative, otherwise]: readonly [Vector, Vector],
  divisor: Vector,
): Integers {
  if (a.bounds.every(([least]) => least >= 0n)) {
    return floorQuotient(steps, plus(p, otherwise), divisor);
  }
  const both = byChannel([negative, otherwise], (c) =>
    hull([entry(negative, c), entry(otherwise, c)]),
  );
  const bounds = sumOfBounds(p.bounds, both);
  const count = liftOf(bounds, divisor);
  const room = fits(mapEnds(bounds, [count], (v, c) => v + entry(count, c) * entry(divisor, c)));
  const lift = room ? count : zero;
  const raise = plus(p, multiples(lift, divisor)).offset;
  const addend = (values: Vector): string =>
    steps.vector(byChannel([values, raise], (c) => entry(values, c) + entry(raise, c)));
  const chosen = steps.node('Where', [below(steps, a), addend(negative), addend(otherwise)]);
  const raised = mapEnds(bounds, [lift, divisor], (v, c) => v + entry(lift, c) * entry(divisor, c));
  const dividend = integers(steps, steps.node('Add', [p.tensor, chosen]), raised);
  return plus(
    floorQuotient(steps, dividend, divisor),
    lift.map((value) => -value),
  );
}

/** (a - a mod divisor) / divisor, where a lifted a would leave 64 bits. */
function floorByRemainder(steps: Steps, a: Integers, divisor: Vector, bounds: Bounds): Integers {
  const [tensor, by] = [settle(steps, a), steps.vector(divisor)];
  const below = mapEnds(a.bounds, [divisor], (v, c) => v - entry(divisor, c) + 1n);
  requireWide(steps, below);
  const whole = steps.node('Sub', [tensor, steps.node('Mod', [tensor, by])]);
  return integers(steps, steps.node('Div', [whole, by]), bounds);
}

function floored(v: bigint, divisor: bigint): bigint {
  return v >= 0n ? v / divisor : -((-v + divisor - 1n) / divisor);
}

/** a / divisor towards zero, as ONNX divides. */
export function truncatedQuotient(steps: Steps, a: Integers, divisor: Vector): Integers {
  const bounds = mapEnds(a.bounds, [divisor], (v, c) => v / entry(divisor, c));
  return integers(steps, steps.node('Div', [settle(steps, a), steps.vector(divisor)]), bounds);
}

/** a mod modulus, in [0, modulus). */
export function remainder(steps: Steps, a: Integers, modulus: Vector): Integers {
  const bounds = modulus.map((value): Interval => [0n, value - 1n]);
  return integers(steps, steps.node('Mod', [settle(steps, a), steps.vector(modulus)]), bounds);
}

/** min(max(a, lo), hi); what the bounds imply is left out. */
export function within(steps: Steps, a: Integers, lo: Vector, hi: Vector): Integers {
  const clamp = (v: bigint, c: number): bigint => smaller(larger(v, entry(lo, c)), entry(hi, c));
  const bounds = mapEnds(a.bounds, [lo, hi], clamp);
  const all = (arrays: readonly (readonly unknown[])[], holds: (c: number) => boolean): boolean =>
    byChannel(arrays, holds).every(Boolean);
  const above = all([a.bounds, lo], (c) => entry(a.bounds, c)[0] >= entry(lo, c));
  const below = all([a.bounds, hi], (c) => entry(a.bounds, c)[1] <= entry(hi, c));
  if (above && below) return { ...a, bounds };
  const narrow = areInt32([...a.bounds.flat(), ...lo, ...hi]);
  let tensor = settle(steps, a);
  if (!above) tensor = extreme(steps, 'Max', tensor, lo, narrow);
  if (!below) tensor = extreme(steps, 'Min', tensor, hi, narrow);
  return integers(steps, tensor, bounds);
}

function areInt32(values: Vector): boolean {
  return values.every((value) => value >= -(1n << 31n) && value < 1n << 31n);
}

/**
 * Max or Min with a constant. onnxruntime 1.30's kernels for int64 on x86 compare 2^31 + 5 with 7 by
 * their signed lower halves and take the wrong one, so they get 32-bit values only.
 */
function extreme(
  steps: Steps,
  op: 'Max' | 'Min',
  tensor: string,
  bound: Vector,
  narrow: boolean,
): string {
  const constant = steps.vector(bound);
  if (narrow) return steps.node(op, [tensor, constant]);
  const passes = steps.node(op === 'Max' ? 'Greater' : 'Less', [tensor, constant]);
  return steps.node('Where', [passes, tensor, constant]);
}

/** A bool tensor: where a is negative. */
function below(steps: Steps, a: Integers): string {
  return steps.node('Less', [a.tensor, steps.vector(a.offset.map((value) => -value))]);
}

/** table[index], for indices that lie within the table. */
export function lookUp(steps: Steps, table: Vector, index: Integers): Integers {
  const stored = steps.constant('s64', [table.length], BigInt64Array.from(table));
  const tensor = steps.node('Gather', [stored, settle(steps, index)]);
  return integers(steps, tensor, [hull(table)]);
}

/** Writes a tensor of the program. */
export function store(steps: Steps, a: Integers, output: CodesTensor): void {
  steps.cast(settle(steps, a), output.dtype, output.tensor);
}
