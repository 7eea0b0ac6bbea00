// SPDX-License-Identifier: Apache-2.0
// The way from the stages of a hardware pipeline down to one multiplier, one rounding and a bias in
// the accumulator: what every other form of requantization is compared by.
import type { FixedRule } from '../numeric/requant.js';
import type { Requant, Stage } from '../program/program.js';
import type { State } from './diff-ingredients.js';

export type Fixed = Extract<Requant, { kind: 'fixed' }>;
type Staged = Extract<Requant, { kind: 'stages' }>;
type Kind<K extends Stage['kind']> = Extract<Stage, { kind: K }>;

/** One ingredient of a pipeline taken away. */
export interface Turn {
  readonly ingredient:
    | 'stage saturation'
    | 'thresholds'
    | 'piecewise lines'
    | 'bias alignment'
    | 'staged rounding'
    | 'float requantization';
  /** What is with it and what is without it. */
  readonly withIt: string;
  readonly without: string;
  readonly before: State;
  readonly after: State;
}

/** The other side of a comparison: it knows what a pipeline does not say about itself. */
export interface Partner {
  readonly fixed: Fixed | undefined;
  readonly bias: Int32Array | undefined;
}

/** @returns the turns to a `fixed` form; undefined if there is none */
export function unwindStages(
  { stages }: Staged,
  bias: Int32Array | undefined,
  partner: Partner,
): readonly Turn[] | undefined {
  const turns: Turn[] = [];
  let at: { stages: readonly Stage[]; bias: Int32Array | undefined } = { stages, bias };
  const turn = (
    ingredient: Turn['ingredient'],
    texts: readonly [withIt: string, without: string],
    next: typeof at,
  ): void => {
    const [withIt, without] = texts;
    turns.push({ ingredient, withIt, without, before: stateOf(at), after: stateOf(next) });
    at = next;
  };
  const bounds = stages.filter(isBound);
  if (bounds.length > 0) {
    const unbounded = { ...at, stages: stages.filter((stage) => !isBound(stage)) };
    turn('stage saturation', [textOfBounds(bounds), 'unbounded values'], unbounded);
  }
  if (at.stages.some(({ kind }) => kind === 'thresholds')) {
    const requant = smooth(at.stages, partner.fixed);
    if (requant === undefined) return undefined;
    const without = `multipliers of ${bitsOf(requant)} bits, ${requant.rule}`;
    const after = { requant, bias: at.bias };
    const before = stateOf(at);
    return [...turns, { ingredient: 'thresholds', withIt: 'thresholds', without, before, after }];
  }
  if (at.stages.some(({ kind }) => kind === 'segments')) {
    const lines = straighten(at.stages);
    if (lines === undefined) return undefined;
    turn('piecewise lines', ['segments with rounded starts', 'one line'], { ...at, stages: lines });
  }
  const where = at.stages.findIndex(({ kind }) => kind === 'add');
  if (where >= 0) {
    const moved = moveBias(at.stages, where, at.bias, partner);
    if (moved === undefined) return undefined;
    const place = where === 0 ? 'behind the accumulator' : 'between the stages';
    turn('bias alignment', [`bias added ${place}`, 'bias in the accumulator'], moved);
  }
  const requant = merge(at.stages);
  if (requant === undefined) return undefined;
  const roundings = at.stages.filter(({ kind }) => kind === 'shift').length;
  if (roundings > 1) {
    const withIt = `${roundings} roundings`;
    const after = { requant, bias: at.bias };
    const before = stateOf(at);
    turns.push({ ingredient: 'staged rounding', withIt, without: 'one', before, after });
  }
  return turns;
}

/**
 * Stages that multiply and shift once, as the `fixed` requantization that computes the same;
 * undefined where there is none.
 */
export function singleStage({ stages }: Staged): Fixed | undefined {
  const kinds = stages.map(({ kind }) => kind).join();
  return ['multiply,shift', 'multiply', 'shift'].includes(kinds) ? merge(stages, true) : undefined;
}

/** Whether a bias comes in behind a scaling, so that it is not one of the accumulator's. */
export function addsScaledBias(requant: Requant): boolean {
  if (requant.kind !== 'stages') return false;
  const kinds = requant.stages.map(({ kind }) => kind).filter((kind) => kind !== 'saturate');
  return !kinds.includes('thresholds') && kinds.lastIndexOf('add') > 0;
}

/** Bits of the largest multiplier. */
export function bitsOf({ multiplier }: Fixed): number {
  return 32 - Math.clz32(multiplier.reduce((max, m) => Math.max(max, m), 0));
}

function stateOf({ stages, bias }: { stages: readonly Stage[]; bias: State['bias'] }): State {
  const nothing: Stage = { kind: 'shift', shift: Int8Array.of(0), rule: 'floor' };
  return { requant: { kind: 'stages', stages: stages.length > 0 ? stages : [nothing] }, bias };
}

function isBound(stage: Stage): stage is Kind<'saturate' | 'clamp'> {
  return stage.kind === 'saturate' || stage.kind === 'clamp';
}

function textOfBounds(bounds: readonly Kind<'saturate' | 'clamp'>[]): string {
  const widths = bounds.flatMap((stage) => (stage.kind === 'saturate' ? [stage.bits] : []));
  const clamped = widths.length < bounds.length ? ['clamped'] : [];
  const saturated = widths.length > 0 ? [`saturated to ${widths.join(' and ')} bits`] : [];
  return `values ${[...saturated, ...clamped].join(', ')}`;
}

/** The other side's multipliers, which a ladder of thresholds has not, rounding as it does. */
function smooth(stages: readonly Stage[], fixed: Fixed | undefined): Fixed | undefined {
  const [ladder, offset, ...more] = stages;
  if (fixed === undefined || ladder?.kind !== 'thresholds' || more.length > 0) return undefined;
  if (offset !== undefined && (offset.kind !== 'add' || offset.value.length > 1)) return undefined;
  return { ...fixed, rule: tieRule(ladder, offset?.value[0] ?? 0n, fixed) };
}

/** Whether thresholds at exact ties k - 1/2 count them up or down; up where there are none. */
function tieRule(
  { count, values, strict }: Kind<'thresholds'>,
  lowest: bigint,
  fixed: Fixed,
): FixedRule {
  for (let i = 0; i < values.length; ++i) {
    const channel = Math.floor(i / count);
    const code = lowest + 1n + BigInt(i % count);
    const m = BigInt(entry(fixed.multiplier, channel));
    const product = (2n * code - 1n) << BigInt(entry(fixed.shift, channel) - 1);
    if (m === 0n || product % m !== 0n) continue;
    const reached = values[i]! + (strict ? 1n : 0n);
    if (reached === product / m + 1n) return 'halfDown';
    if (reached === product / m) return 'halfUp';
  }
  return 'halfUp';
}

/** The only rising line, through 0; undefined if there are more of them, or none. */
function straighten(stages: readonly Stage[]): readonly Stage[] | undefined {
  const last = stages.at(-1);
  if (last?.kind !== 'segments') return undefined;
  const { multiplier, shift, rule } = last;
  const [rising, ...more] = Array.from(multiplier.keys()).filter((k) => multiplier[k] !== 0);
  if (rising === undefined || more.length > 0) return undefined;
  return [
    ...stages.slice(0, -1),
    { kind: 'multiply', factor: multiplier.slice(rising, rising + 1) },
    { kind: 'shift', shift: Int8Array.of(shift[rising]!), rule },
  ];
}

/** The bias out of the stages: exact before any scaling, else the other side's, or nearly so. */
function moveBias(
  stages: readonly Stage[],
  where: number,
  bias: Int32Array | undefined,
  partner: Partner,
): { stages: readonly Stage[]; bias: Int32Array } | undefined {
  const add = stages[where];
  const rest = stages.filter((_, i) => i !== where);
  if (bias === undefined || add?.kind !== 'add') return undefined;
  if (rest.some(({ kind }) => kind === 'add')) return undefined;
  if (where > 0 && partner.bias !== undefined) return { stages: rest, bias: partner.bias };
  const moved = Array.from(bias, (own, c) => {
    const { factor, shift } = scalingOf(stages.slice(0, where), c);
    const value = Number(entry(add.value, c));
    return own + Math.round((value / Number(factor)) * 2 ** shift);
  });
  const fits = moved.every((b) => Math.abs(b) < 2 ** 31);
  return fits ? { stages: rest, bias: Int32Array.from(moved) } : undefined;
}

/** What stages that multiply and shift make of a channel's values together: factor / 2^shift. */
function scalingOf(stages: readonly Stage[], c: number): { factor: bigint; shift: number } {
  return stages.reduce(
    ({ factor, shift }, stage) => ({
      factor: stage.kind === 'multiply' ? factor * BigInt(entry(stage.factor, c)) : factor,
      shift: stage.kind === 'shift' ? shift + entry(stage.shift, c) : shift,
    }),
    { factor: 1n, shift: 0 },
  );
}

/**
 * All stages as one multiplier and the rounding of the last.
 *
 * @param exactly refuses multipliers that 31 bits do not hold; else they are rounded to 31 bits
 */
function merge(stages: readonly Stage[], exactly = false): Fixed | undefined {
  if (stages.some(({ kind }) => kind !== 'multiply' && kind !== 'shift')) return undefined;
  const last = stages.findLast((stage) => stage.kind === 'shift');
  const channels = Math.max(
    ...stages.map((stage) => {
      if (stage.kind === 'multiply') return stage.factor.length;
      return stage.kind === 'shift' ? stage.shift.length : 1;
    }),
  );
  const pairs = Array.from({ length: channels }, (_, c) => fit(scalingOf(stages, c), exactly));
  if (!pairs.every((pair) => pair !== undefined)) return undefined;
  return {
    kind: 'fixed',
    multiplier: Int32Array.from(pairs, ({ factor }) => Number(factor)),
    shift: Uint8Array.from(pairs, ({ shift }) => shift),
    rule: last?.rule ?? 'floor',
  };
}

/** A factor in [0, 2^31) with a shift in [1, 62]; undefined if there is none. */
function fit(
  { factor, shift }: { factor: bigint; shift: number },
  exactly: boolean,
): { factor: bigint; shift: number } | undefined {
  const maxMultiplier = 2n ** 31n - 1n;
  let [m, s] = shift < 1 ? [factor << BigInt(1 - shift), 1] : [factor, shift];
  while (m > maxMultiplier || s > 62) {
    if (exactly && (m & 1n) === 1n) return undefined;
    [m, s] = [m > maxMultiplier ? (m + 1n) >> 1n : m >> 1n, s - 1];
  }
  return m < 0n || s < 1 ? undefined : { factor: m, shift: s };
}

function entry<T>(array: ArrayLike<T>, channel: number): T {
  return array.length === 1 ? array[0]! : array[channel]!;
}
