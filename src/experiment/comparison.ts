// SPDX-License-Identifier: Apache-2.0

/** A claim that one way of quantizing beats another, both by name. */
export interface Comparison {
  readonly id: string;
  readonly statement: string;
  readonly better: string;
  readonly worse: string;
}
