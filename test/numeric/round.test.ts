// SPDX-License-Identifier: Apache-2.0
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { fixedPoint, fixedPointBig, fixedRules } from '../../src/numeric/requant.js';
import {
  type FloatRule,
  type RoundRule,
  type TableRule,
  divideRules,
  floatRules,
  nearestRules,
  roundEncoded,
  roundFloat,
  roundHalfAway,
  roundHalfEven,
  roundNearest,
  roundRules,
  roundShift,
  roundShiftBig,
  roundTable,
  tableRules,
} from '../../src/numeric/round.js';

const notes = readFileSync(join(__dirname, '../../src/program/NOTES.md'), 'utf8');

/** `| rule | R | a, b, c, d |` of the specification. */
const ties = Array.from(
  notes.matchAll(/^\| (\w+) \| [^|]+ \| (-?\d, -?\d, -?\d, -?\d) \|$/gm),
  ([, rule, results]) => [rule as RoundRule, results!.split(', ').map(Number)] as const,
);

/** p / 2^s rounded by comparing with the two neighbours: no addends, no shifts. */
function byDefinition(p: bigint, s: number, rule: RoundRule): bigint {
  const unit = 2n ** BigInt(s);
  const rest = ((p % unit) + unit) % unit;
  const down = (p - rest) / unit;
  const up = rest === 0n ? down : down + 1n;
  const towardZero = p < 0n ? up : down;
  const away = p < 0n ? down : up;
  if (rule === 'floor') return down;
  if (rule === 'ceil') return up;
  if (rule === 'trunc0') return towardZero;
  if (2n * rest !== unit) return 2n * rest < unit ? down : up;
  const even = down % 2n === 0n ? down : up;
  const odd = even === down ? up : down;
  const atTie = {
    halfUp: up,
    halfDown: down,
    halfAway: away,
    halfToZero: towardZero,
    halfEven: even,
    halfOdd: odd,
  };
  return atTie[rule];
}

const shifts = fc.integer({ min: 1, max: 62 });
const rules = fc.constantFrom(...roundRules);
const multipliers = fc.oneof(
  fc.constantFrom(0, 1, 2 ** 30, 2 ** 31 - 1),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
);
/** Integers of every size, ties and near-ties among them. */
const integers = fc
  .tuple(
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.integer({ min: 0, max: 31 }),
    fc.integer({ min: -1, max: 1 }),
  )
  .map(([a, s, near]) => BigInt(a) * 2n ** BigInt(s) + BigInt(near));

describe('rounding rules', () => {
  test('the table in NOTES.md names the plain rules in their order', () => {
    expect(ties.map(([rule]) => rule)).toEqual(roundRules);
    const numbered = fixedRules.map((rule, i) => `${rule} ${i}`).join(', ');
    expect(notes.replaceAll('\n', ' ')).toContain(numbered);
  });

  test.each(ties)('%s rounds -1.5, -0.5, 0.5, 1.5 to %j', (rule, results) => {
    for (const s of [1, 5, 31, 40, 60]) {
      const halves = [-3, -1, 1, 3].map((p) => BigInt(p) * 2n ** BigInt(s - 1));
      expect(halves.map((p) => Number(roundShiftBig(p, s, rule)))).toEqual(results);
      expect(halves.map((p) => roundShift(Number(p), s, rule) + 0)).toEqual(results);
    }
  });

  test('the closed forms equal the definitions', () => {
    fc.assert(
      fc.property(integers, shifts, rules, (p, s, rule) => {
        expect(roundShiftBig(p, s, rule)).toBe(byDefinition(p, s, rule));
      }),
      { numRuns: 1000 },
    );
  });

  test('numbers give what BigInts give', () => {
    const accumulators = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(
        accumulators,
        multipliers,
        shifts,
        fc.constantFrom(...fixedRules),
        (a, m, s, rule) => {
          const exact = fixedPointBig(BigInt(a), BigInt(m), s, rule);
          expect(fixedPoint(a, m, s, rule) + 0).toBe(Number(exact));
          if (rule === 'gemmlowp2' || rule === 'ruyx86') return;
          expect(roundShift(a, s, rule) + 0).toBe(Number(roundShiftBig(BigInt(a), s, rule)));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('ruyx86 is two half-up steps', () => {
    fc.assert(
      fc.property(fc.integer(), multipliers, fc.integer({ min: 32, max: 62 }), (a, m, s) => {
        const first = roundShiftBig(BigInt(a) * BigInt(m), 31, 'halfUp');
        expect(fixedPointBig(BigInt(a), BigInt(m), s, 'ruyx86')).toBe(
          roundShiftBig(first, s - 31, 'halfUp'),
        );
      }),
    );
  });

  test('gemmlowp2 and ruyx86 equal halfUp up to a shift of 31', () => {
    fc.assert(
      fc.property(fc.integer(), multipliers, fc.integer({ min: 1, max: 31 }), (a, m, s) => {
        const halfUp = fixedPoint(a, m, s, 'halfUp') + 0;
        expect(fixedPoint(a, m, s, 'gemmlowp2') + 0).toBe(halfUp);
        expect(fixedPoint(a, m, s, 'ruyx86') + 0).toBe(halfUp);
      }),
    );
  });

  test.each([
    [-2.5, -2, -3],
    [-1.5, -2, -2],
    [-0.5, 0, -1],
    [0.5, 0, 1],
    [1.5, 2, 2],
    [2.5, 2, 3],
    [0.49999999999999994, 0, 0],
    [2 ** 52 + 1, 2 ** 52 + 1, 2 ** 52 + 1],
    [-7.25, -7, -7],
  ])('%d to the nearest: %d (even), %d (away)', (x, even, away) => {
    expect(roundHalfEven(x) + 0).toBe(even);
    expect(roundHalfAway(x) + 0).toBe(away);
  });
});

describe('named rules for reals', () => {
  // Just below 1/2 in float32: its float32 sum with 1/2 is 1, its real sum is not.
  const belowHalf = Math.fround(0.5 - 2 ** -25);
  const values = [-2.5, -1.5, -0.5, belowHalf, 0.5, 1.5, 2.5, 2 ** 23 + 1];
  const large = 2 ** 23 + 1;

  test.each<[FloatRule, number[]]>([
    ['halfEven', [-2, -2, 0, 0, 0, 2, 2, large]],
    ['halfAway', [-3, -2, -1, 0, 1, 2, 3, large]],
    ['halfUp', [-2, -1, 0, 0, 1, 2, 3, large]],
    // The float32 sum 2^23 + 1.5 is a tie between 2^23 + 1 and 2^23 + 2.
    ['addHalfFloor', [-2, -1, 0, 1, 1, 2, 3, large + 1]],
  ])('a float32 by %s', (rule, results) => {
    expect(values.map((x) => roundFloat(x, rule) + 0)).toEqual(results);
  });

  test.each<[TableRule, number[]]>([
    ['halfAway', [0, 1, 2, 3, large]],
    ['truncHalf', [1, 1, 2, 3, large + 1]],
  ])('a share of a softmax by %s', (rule, results) => {
    expect(values.slice(3).map((x) => roundTable(x, rule))).toEqual(results);
  });

  test('the nearest integer, and the integer of a register', () => {
    const ties = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5];
    const by = (round: (x: number) => number) => ties.map((x) => round(x) + 0);
    const [away, even] = [
      [-3, -2, -1, 1, 2, 3],
      [-2, -2, 0, 0, 2, 2],
    ];
    expect(by((x) => roundNearest(x, 'halfAway'))).toEqual(away);
    expect(by((x) => roundNearest(x, 'halfEven'))).toEqual(even);
    expect(by((x) => roundEncoded(x, 'halfAway'))).toEqual(away);
    expect(by((x) => roundEncoded(x, 'halfEven'))).toEqual(even);
    expect(by((x) => roundEncoded(x, 'floor'))).toEqual([-3, -2, -1, 0, 1, 2]);
  });

  test('the lists are in the order of their numbers in a file', () => {
    const listed = (rules: readonly string[]) => `(${rules.join(', ')})`;
    for (const rules of [floatRules, divideRules, nearestRules, tableRules]) {
      expect(notes).toContain(listed(rules));
    }
  });
});

test('no other file of src/ defines a rounding or the limits of a type', () => {
  const source = join(__dirname, '../../src');
  const definitions = /function (roundHalf\w*|codeLimits|frexp)\b/;
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const defining = files.filter((name) =>
    definitions.test(readFileSync(join(source, name), 'utf8')),
  );
  expect(defining.filter((name) => !name.startsWith('numeric/'))).toEqual([]);
  expect(defining.length).toBeGreaterThan(0);
});
