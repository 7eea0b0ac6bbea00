// SPDX-License-Identifier: Apache-2.0
// Charts are data: a Vega-Lite design that is written once, and rows from documents. Colours are CSS
// variables, so that the page follows the reader's colour scheme; `theme.ts` has their values.

/** A Vega-Lite specification without its data. */
export type Design = Readonly<Record<string, unknown>>;

export interface Chart {
  /** Unique in the page; also the name of its files. */
  readonly id: string;
  readonly title: string;
  /** What there is to see, for people who do not see it. */
  readonly description: string;
  /** Vega-Lite, whole. */
  readonly spec: Design;
}

/** Pixels of a chart's plotting area, which scrolls where a screen is narrower. */
export const chartWidth = 760;

/** Colours of series, in order. */
export const series: readonly string[] = [0, 1, 2, 3, 4, 5].map((i) => `var(--series-${i})`);

/** From harmless to grave. */
export const severity: readonly string[] = [0, 1, 2, 3, 4].map((i) => `var(--severity-${i})`);

export function chartOf(
  facts: Omit<Chart, 'spec'>,
  design: Design,
  rows: readonly object[],
): Chart {
  const $schema = 'https://vega.github.io/schema/vega-lite/v6.json';
  const { title, description } = facts;
  return { ...facts, spec: { $schema, title, description, data: { values: rows }, ...design } };
}
