// SPDX-License-Identifier: Apache-2.0
// What two targets can differ in, and the exchange of one such ingredient in an operation.
import type { Op, Requant } from '../program/program.js';

/** What can make two targets differ. */
export type Ingredient =
  | 'input quantization'
  | 'tie rounding'
  | 'rounding rule'
  | 'double rounding'
  | 'staged rounding'
  | 'stage saturation'
  | 'piecewise lines'
  | 'thresholds'
  | 'multiplier recipe'
  | 'float requantization'
  | 'pair saturation'
  | 'accumulator overflow'
  | 'bias width'
  | 'bias alignment'
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

/** A requantization with the bias before it; operations without a bias have none. */
export interface State {
  readonly requant: Requant;
  readonly bias: Int32Array | undefined;
}

/** How a requantization sits in an operation. */
export interface Slot {
  get(op: Op): State | undefined;
  /** Undefined where the operation has no such form. */
  set(op: Op, state: State): Op | undefined;
}

export function bare(requant: Requant): State {
  return { requant, bias: undefined };
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

/** A form in a word or two. */
export function describe(form: {
  readonly kind: string;
  readonly rule?: string;
  readonly form?: string;
  readonly requant?: Requant;
}): string {
  const more = form.rule ?? form.form ?? form.requant?.kind;
  return more === undefined ? form.kind : `${form.kind} ${more}`;
}
