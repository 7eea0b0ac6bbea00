// SPDX-License-Identifier: Apache-2.0
import type { GramGeometry } from '../../src/calibrate/gram.js';
import { nativeSolver } from '../../src/engine/solver.js';
import {
  roundingMethods,
  type RoundedWeights,
  type RoundingProblem,
} from '../../src/quantize/reconstruct/solver.js';
import { randomNumbers } from '../quantize/small-graphs.js';

const solver = nativeSolver();

/** A random layer whose inputs are correlated, with its own covariance on both sides. */
function problem(
  seed: number,
  terms: number,
  changes: Partial<RoundingProblem> = {},
): RoundingProblem {
  const random = randomNumbers(seed);
  const outputs = changes.outputs ?? 3;
  const groups = changes.groups ?? 1;
  const covariance = new Float64Array(groups * terms * terms);
  for (let g = 0; g < groups; g++) {
    const mixing = Array.from({ length: terms * terms }, () => random());
    for (let i = 0; i < terms * terms; i++) {
      const [row, column] = [Math.floor(i / terms), i % terms];
      for (let k = 0; k < terms; k++)
        covariance[g * terms * terms + i]! +=
          mixing[row * terms + k]! * mixing[column * terms + k]!;
    }
  }
  return {
    outputs,
    terms,
    groups,
    weights: Float32Array.from({ length: outputs * terms }, () => random()),
    covariance,
    cross: covariance,
    scales: Float32Array.of(1 / 7),
    zeroPoints: Int32Array.of(0),
    least: -7,
    greatest: 7,
    method: 'gptq',
    damping: 1e-6,
    sweeps: 50,
    iterations: 300,
    ratios: new Float64Array(),
    leastScales: new Float32Array(),
    refit: false,
    ...changes,
  };
}

/** (w' - w)^T H (w' - w), summed over the outputs, for a target that is w itself. */
function costOf(p: RoundingProblem, codes: ArrayLike<number>, scales: Float32Array): number {
  let sum = 0;
  for (let o = 0; o < p.outputs; o++) {
    const group = Math.floor(o / (p.outputs / p.groups));
    const scale = scales[scales.length === 1 ? 0 : o]!;
    const zeroPoint = p.zeroPoints[p.zeroPoints.length === 1 ? 0 : o]!;
    const miss = Array.from(
      { length: p.terms },
      (_, k) => scale * (codes[o * p.terms + k]! - zeroPoint) - p.weights[o * p.terms + k]!,
    );
    for (let i = 0; i < p.terms; i++)
      for (let j = 0; j < p.terms; j++)
        sum += miss[i]! * miss[j]! * p.covariance[(group * p.terms + i) * p.terms + j]!;
  }
  return sum;
}

/** The least cost over all codes. */
function bruteForce(p: RoundingProblem): number {
  let total = 0;
  for (let o = 0; o < p.outputs; o++) {
    const one = { ...p, outputs: 1, weights: p.weights.slice(o * p.terms, (o + 1) * p.terms) };
    const width = p.greatest - p.least + 1;
    let least = Infinity;
    for (let n = 0; n < width ** p.terms; n++) {
      const codes = Array.from(
        { length: p.terms },
        (_, k) => p.least + (Math.floor(n / width ** k) % width),
      );
      least = Math.min(least, costOf(one, codes, p.scales));
    }
    total += least;
  }
  return total;
}

const near = (rounded: RoundedWeights, p: RoundingProblem): void => {
  const cost = costOf(p, rounded.codes, rounded.scales);
  // The cost that the solver reports is the quadratic form of its own codes (plus the damping).
  expect(rounded.after).toBeGreaterThan(cost * 0.999);
  expect(rounded.after).toBeLessThan(cost * 1.01 + 1e-6);
};

describe('roundWeights', () => {
  test('finds what brute force finds in nearly all tiny layers, and never beats it', async () => {
    let exact = 0;
    for (let seed = 0; seed < 40; seed++) {
      const p = problem(seed, 4, {
        outputs: 1,
        scales: Float32Array.of(0.4),
        least: -3,
        greatest: 3,
      });
      const rounded = await solver.roundWeights(p);
      const least = bruteForce(p);
      const cost = costOf(p, rounded.codes, rounded.scales);
      expect(cost).toBeGreaterThan(least - 1e-9);
      if (cost < least + 1e-9) exact++;
      near(rounded, p);
    }
    // Up and down patterns leave out codes that are two steps away.
    expect(exact).toBeGreaterThan(33);
  });

  test.each(roundingMethods)('%s never ends dearer than rounding to nearest', async (method) => {
    for (const [seed, terms] of [
      [1, 9],
      [2, 24],
      [3, 64],
    ] as const) {
      const p = problem(seed, terms, { method, outputs: 11 });
      const { before, after, codes, scales } = await solver.roundWeights(p);
      expect(after).toBeLessThanOrEqual(before * (1 + 1e-9));
      expect(costOf(p, codes, scales)).toBeLessThanOrEqual(before * (1 + 1e-9));
      if (method !== 'nearest') expect(after).toBeLessThan(before * 0.8);
    }
  });

  test('a search in order and descent beat descent alone', async () => {
    const total = async (method: RoundingProblem['method']): Promise<number> =>
      (await solver.roundWeights(problem(5, 64, { method, outputs: 32 }))).after;
    expect(await total('gptq')).toBeLessThan(await total('descent'));
  });

  test.each([2, 3, 4, 6, 8])('%i bits: codes stay within their limits', async (bits) => {
    const greatest = 2 ** (bits - 1) - 1;
    for (const least of [-greatest, -greatest - 1]) {
      const scales = Float32Array.of(1 / greatest);
      const p = problem(bits, 30, { least, greatest, scales, outputs: 9 });
      const { codes } = await solver.roundWeights(p);
      expect(Math.min(...codes)).toBeGreaterThanOrEqual(least);
      expect(Math.max(...codes)).toBeLessThanOrEqual(greatest);
    }
  });

  test('zero points shift the codes', async () => {
    const base = { outputs: 5, scales: Float32Array.of(1 / 100) };
    const plain = problem(8, 20, { ...base, least: -128, greatest: 127 });
    const shifted = { ...plain, zeroPoints: Int32Array.of(128), least: 0, greatest: 255 };
    const a = await solver.roundWeights(plain);
    const b = await solver.roundWeights(shifted);
    expect([...b.codes]).toEqual([...a.codes].map((code) => code + 128));
  });

  test.each([1, 13])('the same integers for any number of threads, %i groups', async (groups) => {
    const p = problem(9, groups === 1 ? 40 : 9, {
      groups,
      outputs: 26,
      scales: Float32Array.from({ length: 26 }, (_, i) => 0.1 + i / 100),
      ratios: Float64Array.of(1, 0.9, 0.7),
      refit: true,
    });
    const one = await nativeSolver(1).roundWeights(p);
    for (const threads of [2, 5]) expect(await nativeSolver(threads).roundWeights(p)).toEqual(one);
  });

  test('scales of their own lower the cost further and respect their bounds', async () => {
    const scales = new Float32Array(12).fill(0.2);
    const p = problem(10, 30, { outputs: 12, scales, least: -7, greatest: 7 });
    const fixed = await solver.roundWeights(p);
    const ratios = Float64Array.of(1, 0.9, 0.8, 0.7, 0.6);
    const free = await solver.roundWeights({ ...p, ratios, refit: true });
    expect(free.after).toBeLessThan(fixed.after);
    near(free, p);
    const leastScales = new Float32Array(12).fill(0.19);
    const bound = await solver.roundWeights({ ...p, ratios, refit: true, leastScales });
    expect(Math.min(...bound.scales)).toBeGreaterThanOrEqual(Math.fround(0.19));
    expect(bound.after).toBeGreaterThan(free.after);
  });

  test('a shared scale is one of those offered', async () => {
    const p = problem(11, 24, {
      outputs: 10,
      scales: Float32Array.of(0.5),
      ratios: Float64Array.of(1, 0.5, 0.25),
    });
    const { scales, before, after } = await solver.roundWeights(p);
    expect([0.5, 0.25, 0.125]).toContain(scales[0]);
    expect(after).toBeLessThan(before);
  });

  test('inputs that never vary: the weights that read them are rounded to nearest', async () => {
    const p = problem(12, 12, { outputs: 4 });
    const covariance = p.covariance.map((value, i) =>
      i % 12 < 6 || Math.floor(i / 12) < 6 ? 0 : value,
    );
    const { codes } = await solver.roundWeights({ ...p, covariance, cross: covariance });
    for (let o = 0; o < 4; o++)
      for (let k = 0; k < 6; k++)
        expect(codes[o * 12 + k]).toBe(Math.round(p.weights[o * 12 + k]! * 7));
    const none = new Float64Array(144);
    const dead = await solver.roundWeights({ ...p, covariance: none, cross: none });
    dead.codes.forEach((code, i) => {
      expect(Math.abs(code - p.weights[i]! * 7)).toBeLessThanOrEqual(0.5);
    });
  });

  test.each(roundingMethods)('%s: weights of zero stay zero, without NaN', async (method) => {
    const p = problem(13, 18, {
      method,
      outputs: 3,
      refit: true,
      scales: Float32Array.of(1, 1, 1),
    });
    const zeros = new Float32Array(54);
    const { codes, scales, before, after } = await solver.roundWeights({ ...p, weights: zeros });
    expect([...codes]).toEqual([...zeros]);
    expect([...scales]).toEqual([1, 1, 1]);
    expect([before, after]).toEqual([0, 0]);
  });

  test('asks for what the quantized inputs need: the target is a regression', async () => {
    // The quantized network halves its input; the best weights are twice the float ones.
    const p = problem(14, 6, {
      outputs: 2,
      scales: Float32Array.of(1 / 50),
      least: -127,
      greatest: 127,
    });
    const covariance = p.covariance.map((value) => value / 4);
    const cross = p.covariance.map((value) => value / 2);
    const { codes } = await solver.roundWeights({ ...p, covariance, cross });
    codes.forEach((code, i) => {
      expect(Math.abs(code / 50 - 2 * p.weights[i]!)).toBeLessThan(0.1);
    });
  });

  test('sizes that do not agree are refused', () => {
    const p = problem(15, 6);
    expect(() => solver.roundWeights({ ...p, weights: new Float32Array(5) })).toThrow(/sizes/);
    expect(() => solver.roundWeights({ ...p, cross: new Float64Array(5) })).toThrow(/sizes/);
  });
});

describe('GramSum', () => {
  const geometries: Readonly<Record<string, GramGeometry>> = {
    dense: geometry({ channels: 40, kernel: [1, 1], pads: [0, 0], groups: 1 }),
    stem: geometry({ channels: 3, kernel: [3, 3], pads: [1, 1], groups: 1 }),
    wide: geometry({ channels: 5, kernel: [3, 3], pads: [1, 1], groups: 1, strides: [2, 2] }),
    depthwise: geometry({ channels: 6, kernel: [3, 3], pads: [1, 1], groups: 6 }),
    grouped: geometry({ channels: 8, kernel: [2, 2], pads: [0, 1], groups: 2 }),
  };

  function geometry(
    parts: Pick<GramGeometry, 'channels' | 'kernel' | 'pads' | 'groups'> & Partial<GramGeometry>,
  ): GramGeometry {
    const output: readonly [number, number] = parts.strides === undefined ? [6, 7] : [3, 4];
    return { height: 6, width: 7, strides: [1, 1], dilations: [1, 1], output, ...parts };
  }

  /** What term k of a group reads for the output at (y, x). */
  function at(
    g: GramGeometry,
    image: Float32Array,
    [group, y, x, k]: readonly [number, number, number, number],
  ): number {
    const [kh, kw] = g.kernel;
    const c = group * (g.channels / g.groups) + Math.floor(k / (kh * kw));
    const row = y * g.strides[0] - g.pads[0] + (Math.floor(k / kw) % kh);
    const column = x * g.strides[1] - g.pads[1] + (k % kw);
    const inside = row >= 0 && row < g.height && column >= 0 && column < g.width;
    return inside ? image[(c * g.height + row) * g.width + column]! : 0;
  }

  /** By the definition, in float64. */
  function expected(g: GramGeometry, images: readonly [Float32Array, Float32Array][]): number[] {
    const terms = (g.channels / g.groups) * g.kernel[0] * g.kernel[1];
    const cross: number[] = [];
    for (let group = 0; group < g.groups; group++)
      for (let i = 0; i < terms; i++)
        for (let j = 0; j < terms; j++) {
          let [sum, left, right, n] = [0, 0, 0, 0];
          for (const [quantized, real] of images)
            for (let y = 0; y < g.output[0]; y++)
              for (let x = 0; x < g.output[1]; x++) {
                const [a, b] = [at(g, real, [group, y, x, i]), at(g, quantized, [group, y, x, j])];
                [sum, left, right, n] = [sum + a * b, left + a, right + b, n + 1];
              }
          cross.push(sum / n - (left / n) * (right / n));
        }
    return cross;
  }

  test.each(Object.keys(geometries))('%s: covariances as defined, any threads', (name) => {
    const g = geometries[name]!;
    const random = randomNumbers(3);
    const image = (): Float32Array =>
      Float32Array.from({ length: g.channels * g.height * g.width }, () => random() + 0.5);
    const images = [1, 2].map(() => [image(), image()] as [Float32Array, Float32Array]);
    const all = Int32Array.from({ length: g.output[0] * g.output[1] }, (_, i) => i);
    const results = [1, 3].map((threads) => {
      const sum = nativeSolver(threads).openGramSum(g, true);
      for (const [quantized, real] of images) sum.add(quantized, real, all);
      return sum.result();
    });
    expect(results[1]).toEqual(results[0]);
    const [{ cross, covariance, count }] = results as [(typeof results)[0]];
    expect(count).toBe(2 * all.length);
    const close = (a: Float64Array, b: number[]): void => {
      expect(a.length).toBe(b.length);
      a.forEach((value, i) => {
        expect(Math.abs(value - b[i]!)).toBeLessThan(1e-5);
      });
    };
    close(cross, expected(g, images));
    close(
      covariance,
      expected(
        g,
        images.map(([quantized]) => [quantized, quantized]),
      ),
    );
  });

  test.each(Object.keys(geometries))('%s: means of each image, and of all', (name) => {
    const g = geometries[name]!;
    const random = randomNumbers(5);
    const image = (): Float32Array =>
      Float32Array.from({ length: g.channels * g.height * g.width }, () => random() + 0.5);
    const images = [1, 2, 3].map(() => [image(), image()] as const);
    // Other positions in each image; one has none.
    const positions = [Int32Array.of(0), Int32Array.of(), Int32Array.of(0, g.output[1] - 1)];
    const sum = solver.openGramSum(g, false);
    images.forEach(([quantized, real], i) => {
      sum.add(quantized, real, positions[i]!);
    });
    const { imageQuantized, imageReal, meanQuantized } = sum.result();
    const meanAt = (plane: Float32Array, where: Int32Array, group: number, term: number): number =>
      where.reduce(
        (total, p) =>
          total + at(g, plane, [group, Math.floor(p / g.output[1]), p % g.output[1], term]),
        0,
      ) / Math.max(where.length, 1);
    const terms = imageReal.length / images.length / g.groups;
    let index = 0;
    images.forEach(([quantized, real], i) => {
      for (let group = 0; group < g.groups; group++)
        for (let term = 0; term < terms; term++, index++) {
          const where = positions[i]!;
          expect(imageQuantized[index]).toBeCloseTo(meanAt(quantized, where, group, term), 6);
          expect(imageReal[index]).toBeCloseTo(meanAt(real, where, group, term), 6);
        }
    });
    const all = g.groups * terms;
    expect(meanQuantized.length).toBe(all);
    // One, no and two positions.
    meanQuantized.forEach((mean, k) => {
      expect(mean).toBeCloseTo((imageQuantized[k]! + 2 * imageQuantized[2 * all + k]!) / 3, 6);
    });
  });

  test('nothing added: zeros', () => {
    const { count, covariance, meanQuantized } = solver
      .openGramSum(geometries.stem!, true)
      .result();
    expect(count).toBe(0);
    expect(covariance.every((value) => value === 0)).toBe(true);
    expect(meanQuantized.every((value) => value === 0)).toBe(true);
  });

  test('positions and sizes outside of the geometry are refused', () => {
    const sum = solver.openGramSum(geometries.depthwise!, true);
    const image = new Float32Array(6 * 6 * 7);
    expect(() => {
      sum.add(image, image, Int32Array.of(42));
    }).toThrow(/position/);
    expect(() => {
      sum.add(image, image.subarray(1), Int32Array.of(0));
    }).toThrow(/values/);
  });
});
