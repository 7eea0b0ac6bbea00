// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { bigToF32, fmaF32 } from '../../src/program/float32.js';
import type { RoundRule } from '../../src/program/program.js';
import {
  fixedPoint,
  fixedPointBig,
  fixedRules,
  roundHalfAway,
  roundHalfEven,
  roundRules,
  roundShift,
  roundShiftBig,
} from '../../src/program/rounding.js';

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

/** A number as an exact multiple of 2^-1100. */
function asFraction(x: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(x).buffer)[0]!;
  const exponent = (bits >> 52n) & 2047n;
  const fraction = bits & (2n ** 52n - 1n);
  const magnitude =
    exponent === 0n ? fraction << 26n : (fraction + 2n ** 52n) << (exponent - 1n + 26n);
  return x < 0 ? -magnitude : magnitude;
}

/** The f32 nearest to an exact fraction of 2^-1100, ties to even, by searching its neighbours. */
function nearestF32(exact: bigint, near: number): number {
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  value[0] = near;
  const centre = bits[0]!;
  const candidates = [-2, -1, 0, 1, 2].map((step) => {
    bits[0] = centre + step;
    return { value: value[0]!, even: bits[0] % 2 === 0 };
  });
  const distance = (x: number): bigint => {
    const d = asFraction(x) - exact;
    return d < 0n ? -d : d;
  };
  return candidates.reduce((best, c) => {
    const [d, least] = [distance(c.value), distance(best.value)];
    return d < least || (d === least && c.even) ? c : best;
  }).value;
}

describe('float32', () => {
  const floats = fc.float({ min: -1e6, max: 1e6, noNaN: true }).filter((x) => Math.abs(x) > 1e-6);

  test('fma rounds once', () => {
    fc.assert(
      fc.property(floats, floats, fc.oneof(floats, fc.constant(0)), (a, b, c) => {
        // a * b is exact in a double; the sum is exact in fractions.
        const exact = asFraction(a * b) + asFraction(c);
        const result = fmaF32(a, b, c);
        if (exact !== 0n) expect(result).toBe(nearestF32(exact, result));
      }),
      { numRuns: 1000 },
    );
  });

  test('fma differs from two roundings, and from rounding a double sum, where it must', () => {
    // (1 + 2^-23)^2 - (1 + 2^-22) = 2^-46: lost when the product is rounded first.
    const a = 1 + 2 ** -23;
    expect(fmaF32(a, a, -(1 + 2 ** -22))).toBe(2 ** -46);
  });

  test('fma is right where a double sum rounds onto a tie', () => {
    // a * b = 2^-24 - 2^-54: just below the tie, and the double sum drops the 2^-54.
    const [a, b, c] = [2 ** -12 * (1 + 2 ** -15), 2 ** -12 * (1 - 2 ** -15), 1 + 2 ** -23] as const;
    expect(Math.fround(a * b + c)).toBe(1 + 2 ** -22);
    expect(fmaF32(a, b, c)).toBe(1 + 2 ** -23);
    expect(fmaF32(-a, b, -c)).toBe(-1 - 2 ** -23);
  });

  test('an integer of 64 bits rounds to f32 once', () => {
    // 2^62 + 2^38 is a tie of f32; the 1 above it is lost in a double.
    expect(bigToF32(2n ** 62n + 2n ** 38n)).toBe(2 ** 62);
    expect(bigToF32(2n ** 62n + 2n ** 38n + 1n)).toBe(2 ** 62 + 2 ** 39);
    expect(bigToF32(-(2n ** 62n) - 2n ** 38n - 1n)).toBe(-(2 ** 62) - 2 ** 39);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (a) => {
        const result = bigToF32(a);
        if (a !== 0n) expect(result).toBe(nearestF32(a << 1100n, result));
      }),
    );
  });
});
