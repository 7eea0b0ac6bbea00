// SPDX-License-Identifier: Apache-2.0
// Scales that are powers of two. Bae, Zielinski and Chatterjee 2022, arXiv 2210.03671; formulas
// from the authors' qkeras quantizers_po2.py, applied after training.
//
// Symbols: w [n] the weights that share a scale, w' = 2^e clip(rint(w / 2^e), min, max), e an
// integer, omega_i >= 0 what the error of a weight counts.
//
//   minimize over e   E(e) = sum over i of omega_i (w_i - w'_i)^2
//
//   omega  1, or E[x^2] of the input (`input`), times the output's cost of noise (`fisher`), in the place of
//          squared gradients of training (importance.ts); its root where `squareRoot`; 0 for outliers,
//          |w| > k sigma; normalized to a mean of 1.
//
//   max           e = rint(log2(max |w| / max code))
//   lsq           from there three times q = clip(rint(w / 2^e)),
//                 e = rint(log2(sum omega q w / sum omega q^2)); the e of smallest E seen (msqe.ts)
//   lsq-search    then e - 3 ... e + 3, where E is strictly smaller
//   gradient      a real exponent, learned (gradient.ts)
//   exhaustive    all exponents: the oracle of the others
//
// Importance is measured once and does not drift, so the moving average of the authors' second
// moments falls away, and for the same reason `stable` acts on the learned exponent only.
import { UsageError } from '../../errors.js';
import { weightLimits, type WeightGrid, type WeightScheme } from '../codes/weights.js';
import { giveZeroChannelsAScale } from '../weights/choose-grid.js';
import { learnExponent } from './gradient.js';
import { exhaustive, leastSquares, lineSearch, maxExponent, type Solution } from './msqe.js';
import { deviation, qualityOf, type Po2Problem, type Po2Quality } from './problem.js';
import type { Po2Settings } from './settings.js';
import { flips } from './stable.js';

/** What the choice of one layer's exponents was like. */
export interface Po2Diagnostics extends Po2Quality {
  /** Minimal and maximal exponent chosen. */
  readonly exponents: readonly [number, number];
  /** One scale per tensor: the exponents on the way. Per channel: none. */
  readonly trace: readonly number[];
  /** Changes of the exponent on the way, over all channels. */
  readonly flips: number;
}

/**
 * Chooses one exponent for a weight tensor, or one for each output channel. Channels of zeros get
 * the largest of the others.
 *
 * @param data [O, C/group, KH, KW]
 * @param importance one per weight, before `squareRoot` and outlier masks
 * @throws UsageError where weights have a zero point
 */
export function choosePo2Grid(
  data: Float32Array,
  channels: number,
  scheme: WeightScheme,
  settings: Po2Settings,
  importance?: Float64Array,
): { readonly grid: WeightGrid; readonly diagnostics: Po2Diagnostics } {
  if (scheme.zeroPoint || scheme.dtype === 'u8') {
    throw new UsageError(
      'po2-weights',
      'weights.method po2',
      'needs weights without a zero point, which the target does not take; choose pow2, tflm or the like',
    );
  }
  const [minCode, maxCode] = weightLimits(scheme);
  const parts = scheme.perChannel ? channels : 1;
  const size = data.length / parts;
  const scales = new Float32Array(parts).fill(1);
  const solved: { readonly solution: Solution; readonly quality: Po2Quality }[] = [];
  for (let part = 0; part < parts; part++) {
    const weights = data.subarray(part * size, (part + 1) * size);
    if (weights.every((weight) => weight === 0)) continue;
    const own = importance?.subarray(part * size, (part + 1) * size);
    const counted = importanceOf(weights, settings, own);
    const problem = { weights, importance: counted, minCode, maxCode };
    const solution = solve(problem, settings);
    scales[part] = 2 ** solution.exponent;
    solved.push({ solution, quality: qualityOf(problem, solution.exponent) });
  }
  giveZeroChannelsAScale(data, scales, size);
  const zeroPoints = new Int32Array(parts);
  return { grid: { scales, zeroPoints }, diagnostics: summary(solved, scales) };
}

function solve(problem: Po2Problem, settings: Po2Settings): Solution {
  switch (settings.solver) {
    case 'max':
      return maxExponent(problem);
    case 'lsq':
      return leastSquares(problem);
    case 'lsq-search':
      return lineSearch(problem, leastSquares(problem));
    case 'exhaustive':
      return exhaustive(problem);
    case 'gradient':
      return learnExponent(problem, {
        rounding: settings.rounding,
        maskOutliers: settings.outlierSigmas !== undefined,
        stable: settings.stable,
      });
  }
}

/** Normalized to a mean of 1; undefined where every weight counts the same. */
function importanceOf(
  weights: Float32Array,
  settings: Po2Settings,
  importance: Float64Array | undefined,
): Float64Array | undefined {
  const { outlierSigmas, squareRoot, solver } = settings;
  const masked = outlierSigmas !== undefined && solver !== 'gradient';
  if (importance === undefined && !masked) return undefined;
  const limit = masked ? outlierSigmas * deviation(weights) : Infinity;
  const counted = Float64Array.from(weights, (weight, i) => {
    // A tensor of equal weights has no outliers, though all lie beyond its deviation of 0.
    if (limit > 0 && Math.abs(weight) > limit) return 0;
    const own = importance === undefined ? 1 : importance[i]!;
    return squareRoot ? Math.sqrt(own) : own;
  });
  const mean = counted.reduce((a, b) => a + b, 0) / counted.length;
  // Nothing counts where no input ever arrives; then all weights count the same.
  return mean > 0 && Number.isFinite(mean) ? counted.map((one) => one / mean) : undefined;
}

function summary(
  solved: readonly { readonly solution: Solution; readonly quality: Po2Quality }[],
  scales: Float32Array,
): Po2Diagnostics {
  const exponents = [...scales].map(Math.log2);
  const average = (of: (quality: Po2Quality) => number): number =>
    solved.reduce((sum, { quality }) => sum + of(quality), 0) / Math.max(1, scales.length);
  return {
    exponents: [
      exponents.reduce((a, b) => Math.min(a, b)),
      exponents.reduce((a, b) => Math.max(a, b)),
    ],
    trace: scales.length === 1 ? (solved[0]?.solution.trace ?? []) : [],
    flips: solved.reduce((sum, { solution }) => sum + flips(solution.trace), 0),
    msqe: average(({ msqe }) => msqe),
    weightedMsqe: average(({ weightedMsqe }) => weightedMsqe),
    clippedShare: average(({ clippedShare }) => clippedShare),
  };
}
