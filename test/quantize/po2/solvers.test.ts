// SPDX-License-Identifier: Apache-2.0
import { choosePo2Grid, po2Schema } from '../../../src/quantize/po2/index.js';
import {
  gradient,
  learnExponent,
  roundExponent,
  type ExponentRounding,
} from '../../../src/quantize/po2/gradient.js';
import {
  exhaustive,
  leastSquares,
  lineSearch,
  maxExponent,
} from '../../../src/quantize/po2/msqe.js';
import { qualityOf, squaredError, type Po2Problem } from '../../../src/quantize/po2/problem.js';
import { flips, StableExponent } from '../../../src/quantize/po2/stable.js';
import type { WeightScheme } from '../../../src/quantize/codes/weights.js';
import { randomNumbers } from '../small-graphs.js';

/** About normal weights, some of them far out, of one of many sizes. */
function problemOf(seed: number, bits: number, weighted = false): Po2Problem {
  const random = randomNumbers(seed);
  const size = 10 ** (3 * random());
  const weights = Float32Array.from({ length: 300 }, () => {
    const bulk = random() + random() + random();
    return size * (random() > 0.98 ? 4 * bulk : bulk);
  });
  const maxCode = 2 ** (bits - 1) - 1;
  const importance = Float64Array.from(weights, () => 1 + random());
  return { weights, minCode: -maxCode, maxCode, ...(weighted ? { importance } : {}) };
}

const problems = [2, 3, 4, 6, 8].flatMap((bits) =>
  [1, 2, 3, 4, 5, 6].map((seed) => [bits, seed, problemOf(seed, bits, seed % 2 === 0)] as const),
);

/** Every exponent in a wide range, error by definition. */
function bruteForce({ weights, importance, minCode, maxCode }: Po2Problem) {
  let best = { exponent: NaN, error: Infinity };
  for (let exponent = -40; exponent <= 30; exponent++) {
    let error = 0;
    weights.forEach((weight, i) => {
      const steps = weight / 2 ** exponent;
      const down = Math.floor(steps);
      const even = down % 2 === 0 ? down : down + 1;
      const rint = steps - down === 0.5 ? even : Math.round(steps);
      const code = Math.max(minCode, Math.min(maxCode, rint));
      error += (weight - code * 2 ** exponent) ** 2 * (importance?.[i] ?? 1);
    });
    if (error < best.error) best = { exponent, error };
  }
  return best;
}

describe('the oracle', () => {
  it.each(problems)('finds the best of all exponents, %i bits, seed %i', (_, __, problem) => {
    const best = bruteForce(problem);
    const { exponent } = exhaustive(problem);
    expect(squaredError(problem, exponent)).toBeCloseTo(best.error, 9);
    expect(exponent === best.exponent).toBe(true);
  });
});

describe('solvers', () => {
  it.each(problems)(
    'are ordered: max, least squares, line search, oracle: %i bits, seed %i',
    (_, __, problem) => {
      const errorOf = ({ exponent }: { exponent: number }) => squaredError(problem, exponent);
      const oracle = errorOf(exhaustive(problem));
      const fitted = leastSquares(problem);
      const searched = lineSearch(problem, fitted);
      expect(errorOf(fitted)).toBeLessThanOrEqual(errorOf(maxExponent(problem)));
      expect(errorOf(searched)).toBeLessThanOrEqual(errorOf(fitted));
      expect(oracle).toBeLessThanOrEqual(errorOf(searched));
      // Never further than the search reaches on weights like these.
      expect(errorOf(searched)).toBeCloseTo(oracle, 9);
      expect(fitted.trace).toHaveLength(4);
      expect(fitted.trace[0]).toBe(maxExponent(problem).exponent);
    },
  );

  it('least squares keeps the best it saw and needs the search in places', () => {
    const behind = problems.filter(([, , problem]) => {
      const { exponent } = leastSquares(problem);
      return squaredError(problem, exponent) > squaredError(problem, exhaustive(problem).exponent);
    });
    expect(behind.length).toBeGreaterThan(0);
    expect(behind.length).toBeLessThan(problems.length);
  });

  it.each(['ceil', 'rint', 'msqe'] as const)('by gradient end near the oracle: %s', (rounding) => {
    const distances = problems.map(([, , problem]) => {
      const options = { rounding, maskOutliers: false, stable: false };
      const { exponent, trace } = learnExponent(problem, options);
      expect(trace.at(-1)).toBe(exponent);
      return Math.abs(exponent - exhaustive(problem).exponent);
    });
    expect(Math.max(...distances)).toBeLessThanOrEqual(rounding === 'msqe' ? 1 : 2);
    const exact = distances.filter((distance) => distance === 0).length;
    expect(exact).toBeGreaterThan(distances.length * 0.6);
  });

  it('give the same twice', () => {
    const problem = problemOf(9, 4, true);
    const options = { rounding: 'msqe', maskOutliers: true, stable: true } as const;
    expect(learnExponent(problem, options)).toEqual(learnExponent(problem, options));
  });
});

describe('the learned exponent', () => {
  it('has the straight-through gradient, by weights written out', () => {
    const problem = { weights: Float32Array.of(0.6, -2.9, 10), minCode: -7, maxCode: 7 };
    // Scale 1: codes 1, -3, 7 of which the last is clipped.
    const expected = 2 * Math.LN2 * (0.4 * (1 - 0.6) + -0.1 * (-3 + 2.9) + -3 * 7);
    const energy = 0.6 ** 2 + 2.9 ** 2 + 100;
    expect(gradient(problem, 0, 0, false)).toBeCloseTo(expected / energy, 5);
    const masked = 2 * Math.LN2 * (0.4 * (1 - 0.6) + -0.1 * (-3 + 2.9));
    expect(gradient(problem, 0, 0, true)).toBeCloseTo(masked / energy, 5);
  });

  it.each([
    ['ceil', 1.2, 2],
    ['ceil', -1.2, -1],
    ['rint', 1.2, 1],
    ['rint', 1.7, 2],
  ] as const)('rounds by %s', (rounding: ExponentRounding, real, expected) => {
    expect(roundExponent(problemOf(1, 4), real, rounding)).toBe(expected);
  });

  it('rounds to the lower error, of equal ones up', () => {
    const coarse = { weights: Float32Array.of(14, -2), minCode: -7, maxCode: 7 };
    expect(roundExponent(coarse, 0.5, 'msqe')).toBe(1);
    const fine = { weights: Float32Array.of(7, 1), minCode: -7, maxCode: 7 };
    expect(roundExponent(fine, 0.5, 'msqe')).toBe(0);
    const equal = { weights: Float32Array.of(4, 2), minCode: -7, maxCode: 7 };
    expect(roundExponent(equal, 0.5, 'msqe')).toBe(1);
  });

  it('does not flip where it is stable', () => {
    const proposals = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? -3 : -2));
    const stable = new StableExponent();
    const used = proposals.map((exponent, i) => {
      if (i === 200) stable.freeze();
      return stable.next(exponent);
    });
    expect(flips(proposals)).toBe(399);
    expect(flips(used)).toBeLessThanOrEqual(1);
    expect(new Set(used.slice(200)).size).toBe(1);
  });
});

describe('a grid of exponents', () => {
  const scheme: WeightScheme = {
    dtype: 's8',
    bits: 4,
    perChannel: true,
    zeroPoint: false,
    narrow: true,
    powerOfTwo: true,
  };
  const settings = (given: object) => po2Schema.parse(given);

  it('has one for each channel, or one; figures are those of its codes', () => {
    const { weights } = problemOf(2, 4);
    const data = weights.map((w, i) => (i < 100 ? w : w / 64));
    const { grid, diagnostics } = choosePo2Grid(data, 3, scheme, settings({}));
    expect(grid.scales[1]! / grid.scales[0]!).toBeLessThan(1 / 16);
    expect(diagnostics.exponents).toEqual([
      Math.log2(Math.min(...grid.scales)),
      Math.log2(Math.max(...grid.scales)),
    ]);
    const one = choosePo2Grid(data, 3, { ...scheme, perChannel: false }, settings({}));
    expect(one.grid.scales).toHaveLength(1);
    const [exponent] = one.diagnostics.exponents;
    const { msqe, clippedShare } = qualityOf({ weights: data, minCode: -7, maxCode: 7 }, exponent);
    expect(one.diagnostics).toMatchObject({ msqe, clippedShare });
    expect(one.diagnostics.trace.at(-1)).toBe(exponent);
  });

  it.each(['max', 'lsq', 'lsq-search', 'exhaustive', 'gradient'])(
    'by %s survives zeros, constants and importance of zero',
    (solver) => {
      const data = new Float32Array(12);
      data.fill(0.3, 4, 8);
      data.fill(1e-30, 8);
      for (const outlierSigmas of [undefined, 2]) {
        const chosen = settings({
          solver,
          weighting: 'input',
          ...(outlierSigmas && { outlierSigmas }),
        });
        const importance = new Float64Array(12);
        const { grid } = choosePo2Grid(data, 3, scheme, chosen, importance);
        expect([...grid.scales].every((s) => s > 0 && Number.isInteger(Math.log2(s)))).toBe(true);
        expect(grid.scales[0]).toBe(Math.max(grid.scales[1]!, grid.scales[2]!));
      }
    },
  );

  it('lets outliers go where they are masked', () => {
    const random = randomNumbers(1);
    const data = Float32Array.from({ length: 2000 }, (_, i) => (i === 0 ? 3 : 0.1 * random()));
    const scale = (given: object) =>
      choosePo2Grid(data, 1, scheme, settings({ solver: 'exhaustive', ...given })).grid.scales[0]!;
    expect(scale({ outlierSigmas: 2 })).toBeLessThan(scale({}));
  });

  it('refuses weights with a zero point', () => {
    const affine: WeightScheme = { ...scheme, dtype: 'u8', zeroPoint: true, perChannel: false };
    expect(() => choosePo2Grid(new Float32Array(4), 1, affine, settings({}))).toThrow(
      /\[po2-weights\]/,
    );
  });
});
