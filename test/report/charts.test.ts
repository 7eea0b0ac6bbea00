// SPDX-License-Identifier: Apache-2.0
import { compile } from 'vega-lite';

import { networksOf, recognize } from '../../src/report/index.js';
import { palettes } from '../../src/report/charts/index.js';
import { chapterOf } from '../../src/report/sections/index.js';
import { all } from './results.js';

const [network] = networksOf(
  Object.values(all).map((document) => recognize(JSON.stringify(document), 'a.json')),
);
const charts = chapterOf(network!).sections.flatMap(({ blocks }) =>
  blocks.flatMap((block) => (block.kind === 'chart' ? [block.chart] : [])),
);

test('every result that has a picture gives one', () => {
  expect(charts.map(({ id }) => id)).toEqual([
    'n1-accuracy',
    'n1-error-by-depth',
    'n1-channel-db-0',
    'n1-range-use-0',
    'n1-divergence-0',
    'n1-accumulator-bits',
    'n1-latency',
  ]);
});

test.each(charts.map((chart) => [chart.id, chart] as const))('%s is Vega-Lite', (_, { spec }) => {
  const said: unknown[] = [];
  const keep = (...words: unknown[]) => {
    said.push(...words);
    return logger;
  };
  const logger = { level: () => logger, error: keep, warn: keep, info: keep, debug: keep };
  compile(spec as never, { logger: logger });
  expect(said).toEqual([]);
});

test('every colour that a chart names has a value in both schemes', () => {
  const named = JSON.stringify(charts).matchAll(/var\(--([a-z0-9-]+)\)/g);
  const names = new Set([...named].map(([, name]) => name!));
  for (const palette of Object.values(palettes)) {
    expect([...names].filter((name) => !Object.hasOwn(palette, name))).toEqual([]);
  }
});

test('charts are described, and each mark with a value has words', () => {
  for (const { title, description, spec } of charts) {
    expect(title.length * description.length).toBeGreaterThan(0);
    const { values } = spec.data as { values: { words: string }[] };
    expect(values.every(({ words }) => words.length > 0)).toBe(true);
  }
});
