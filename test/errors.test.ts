// SPDX-License-Identifier: Apache-2.0
import { listedIn } from '../src/errors.js';

const beside = ['unsupported-op', '40 problems'];
const whole = (text: string): number => `[${beside[0]!}] ${beside[1]!}: ${text}`.length;

test('a refusal lists what fits 600 characters, and counts the rest', () => {
  const sentences = Array.from(
    { length: 40 },
    (_, i) => `node "layer${i}": it has no integer form`,
  );
  const text = listedIn(sentences, ...beside);
  expect(whole(text)).toBeLessThanOrEqual(600);
  const shown = text.split('; ').length - 1;
  expect(text.endsWith(`; and ${40 - shown} more`)).toBe(true);
  expect(shown).toBeGreaterThan(10);
  expect(listedIn(sentences.slice(0, 3), ...beside)).toBe(sentences.slice(0, 3).join('; '));
});

test('a sentence that is too long by itself keeps both ends', () => {
  const text = listedIn([`node "${'x'.repeat(2000)}": not supported; replace it`], ...beside);
  expect(whole(text)).toBeLessThanOrEqual(600);
  expect(text).toMatch(/^node "x+\.\.\.x+": not supported; replace it$/);
});
