// SPDX-License-Identifier: Apache-2.0
// Ranges by entropy calibration: Migacz 2017, "8-bit Inference with TensorRT", GTC 2017.
//
// Symbols: P(i) the share of values in bin i, those beyond the range moved to its outermost
// occupied bins; Q(i) what the codes tell: the mass of a code, without what was moved, evenly over
// its occupied bins.
//
//   minimize   KL(P || Q) = sum over i of P(i) ln(P(i) / Q(i))   [nats]
//
// over the candidate ranges (candidates.ts, both ends at the same fraction, then each by itself).
import type { Histogram } from '../../calibrate/observers/histogram.js';
import { codeLimits, type Quantization, type RealRange } from '../codes/scales.js';
import { candidateRanges, cheapest, type RangeSearch } from './candidates.js';

/**
 * The range of minimal divergence between what was seen and what the codes tell. Exact zeros say
 * nothing about a range and do not count.
 */
export function minDivergenceRange(histogram: Histogram, search: RangeSearch): RealRange {
  const candidates = candidateRanges(histogram, search, 'diagonal');
  return cheapest(candidates, (range) => divergence(histogram, search.quantize(range)));
}

/** Mass given to a bin that the codes say is empty, as a share of all. */
const floor = 1e-9;

/**
 * KL(P || Q) in nats. P is the histogram with everything beyond the range moved to its outermost
 * bins. Q spreads the values of each code, without those moved, evenly over the code's bins that
 * are not empty.
 */
export function divergence(histogram: Histogram, quantization: Quantization): number {
  const { counts, side, width, zeros } = histogram;
  const [minCode, maxCode] = codeLimits(quantization.dtype, quantization.bits);
  const codes = maxCode - minCode + 1;
  const mass = new Float64Array(codes);
  const occupied = new Float64Array(codes);
  const codeOf = (bin: number): number =>
    Math.round(((bin - side + 0.5) * width) / quantization.scale) +
    quantization.zeroPoint -
    minCode;
  const seen = (bin: number): number => counts[bin]! - (bin === side ? zeros : 0);
  let [first, last] = [-1, -1];
  let [below, above, total, inside] = [0, 0, 0, 0];
  for (let bin = 0; bin < counts.length; bin++) {
    const count = seen(bin);
    if (count <= 0) continue;
    total += count;
    const code = codeOf(bin);
    if (code < 0) below += count;
    else if (code >= codes) above += count;
    else {
      if (first < 0) first = bin;
      last = bin;
      mass[code]! += count;
      occupied[code]! += 1;
      inside += count;
    }
  }
  if (total === 0) return 0;
  // All of it in one bin would agree with anything.
  if (inside === 0 || (first === last && below + above > 0)) return Infinity;
  let sum = 0;
  for (let bin = first; bin <= last; bin++) {
    const count = seen(bin);
    if (count <= 0) continue;
    const code = codeOf(bin);
    const moved = (bin === first ? below : 0) + (bin === last ? above : 0);
    const p = (count + moved) / total;
    const q = mass[code]! / occupied[code]! / inside;
    sum += p * Math.log(p / Math.max(q, floor));
  }
  return sum;
}
