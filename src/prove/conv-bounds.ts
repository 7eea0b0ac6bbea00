// SPDX-License-Identifier: Apache-2.0
import { entry } from '../program/per-channel.js';
import type { ConvOp, ProgramTensor } from '../program/program.js';
import type { Interval } from './intervals.js';

/** What the sums of one output channel can reach. */
export interface SumBounds {
  readonly min: number;
  readonly max: number;
}

/** Codes under which a channel's sum is the least or greatest. */
export interface Extreme {
  readonly channel: number;
  readonly value: number;
  /** Input codes under the kernel, [ky][kx][input channel of the group], all inside the image. */
  readonly codes: readonly number[];
}

/** The weights and inputs of one output channel, term by term in the program's order. */
interface Terms {
  readonly count: number;
  /** w - zw */
  weight(term: number): number;
  /** Ends of x - z. */
  least(term: number): number;
  greatest(term: number): number;
}

/**
 * Bounds on every sum that an output channel's accumulator holds: the last one with `when = end`, otherwise all
 * partial ones in the program's order. A term that the border can leave out may also be 0.
 */
export function sumBounds(
  op: ConvOp,
  input: ProgramTensor,
  codes: Interval,
  channel: number,
): SumBounds {
  const terms = termsOf(op, input, codes, channel);
  const missing = op.pads.some((pad) => pad > 0);
  const ends = Array.from({ length: terms.count }, (_, term) => productEnds(terms, term));
  const least = ends.map(([low]) => (missing ? Math.min(low, 0) : low));
  const greatest = ends.map(([, high]) => (missing ? Math.max(high, 0) : high));
  return {
    min: heldSums(op, channel, least).reduce((a, b) => Math.min(a, b)),
    max: heldSums(op, channel, greatest).reduce((a, b) => Math.max(a, b)),
  };
}

/** What the accumulator holds, one after the other, while it adds these products. */
function heldSums(
  { accumulator: { when, biasFirst }, bias }: ConvOp,
  channel: number,
  products: readonly number[],
): readonly number[] {
  let sum = biasFirst ? bias[channel]! : 0;
  const held = [sum];
  for (const product of products) held.push((sum += product));
  if (!biasFirst) held.push(sum + bias[channel]!);
  return when === 'each' ? held : held.slice(-1);
}

/**
 * The codes that bring a channel the greatest (or least) products over a window inside the image, and the greatest
 * (least) sum that its accumulator holds then.
 */
export function extremeOf(
  op: ConvOp,
  input: ProgramTensor,
  codes: Interval,
  channel: number,
  side: 'least' | 'greatest',
): Extreme {
  const terms = termsOf(op, input, codes, channel);
  const chosen = Array.from({ length: terms.count }, (_, term) => {
    const rising = terms.weight(term) >= 0;
    return (side === 'greatest') === rising ? terms.greatest(term) : terms.least(term);
  });
  const products = chosen.map((x, term) => x * terms.weight(term));
  const value = heldSums(op, channel, products).reduce((a, b) =>
    side === 'greatest' ? Math.max(a, b) : Math.min(a, b),
  );
  return { channel, value, codes: chosen.map((x) => x + input.zeroPoint) };
}

function productEnds(terms: Terms, term: number): readonly [number, number] {
  const weight = terms.weight(term);
  const [a, b] = [weight * terms.least(term), weight * terms.greatest(term)];
  return a <= b ? [a, b] : [b, a];
}

function termsOf(op: ConvOp, input: ProgramTensor, { lo, hi }: Interval, channel: number): Terms {
  const perGroup = input.channels / op.groups;
  const first = Math.floor(channel / (op.bias.length / op.groups)) * perGroup;
  const count = op.weights.length / op.bias.length;
  const zero = entry(op.weightZeroPoints, channel);
  const from = channel * count;
  return {
    count,
    weight: (term) => op.weights[from + term]! - zero,
    least: (term) => lo[first + (term % perGroup)]! - input.zeroPoint,
    greatest: (term) => hi[first + (term % perGroup)]! - input.zeroPoint,
  };
}

/**
 * What two neighbouring products of raw codes reach together (`products = satPairs16`); positions outside the image
 * hold the zero point.
 */
export function pairBounds(
  op: ConvOp,
  input: ProgramTensor,
  { lo, hi }: Interval,
  channel: number,
): SumBounds {
  const z = op.pads.some((pad) => pad > 0) ? input.zeroPoint : undefined;
  const low = (code: number): number => (z === undefined ? code : Math.min(code, z));
  const high = (code: number): number => (z === undefined ? code : Math.max(code, z));
  const raw: Interval = { lo: lo.map(low), hi: hi.map(high) };
  const terms = termsOf(op, { ...input, zeroPoint: 0 }, raw, channel);
  let [min, max] = [0, 0];
  for (let term = 0; term < terms.count; term += 2) {
    const one = productEnds(terms, term);
    const other = term + 1 < terms.count ? productEnds(terms, term + 1) : [0, 0];
    min = Math.min(min, one[0] + other[0]);
    max = Math.max(max, one[1] + other[1]);
  }
  return { min, max };
}
