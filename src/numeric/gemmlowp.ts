// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "Fixed-point functions": the parts of gemmlowp's fixedpoint/fixedpoint.h that softmax
// needs. All values are raw int32.
import { clampInteger, codeLimits } from './code-types.js';
import { roundShift } from './round.js';

const [minInt32, maxInt32] = codeLimits('s32');

function saturate(x: number): number {
  return clampInteger(x, minInt32, maxInt32);
}

/** SaturatingRoundingDoublingHighMul: floor((a * b + 2^30) / 2^31), the one overflow saturated. */
export function srdhm(a: number, b: number): number {
  return Number(saturateBig((BigInt(a) * BigInt(b) + (1n << 30n)) >> 31n));
}

function saturateBig(x: bigint): bigint {
  const max = BigInt(maxInt32);
  return x > max ? max : x;
}

/** RoundingDivideByPOT: x / 2^k, ties away from zero. */
export function rdbpot(x: number, k: number): number {
  return k === 0 ? x : roundShift(x, k, 'halfAway');
}

/** exp(a) for a in [-1/4, 0), Q0.31 in and out: a Taylor series of degree 4 around -1/8. */
function expOnSmallInterval(a: number): number {
  const expOfMinusEighth = 1895147668;
  const third = 715827883;
  const x = a + 2 ** 28;
  const x2 = srdhm(x, x);
  const x3 = srdhm(x2, x);
  const x4 = srdhm(x2, x2);
  const rest = rdbpot(srdhm(rdbpot(x4, 2) + x3, third) + x2, 1);
  return saturate(expOfMinusEighth + srdhm(expOfMinusEighth, x + rest));
}

/** exp(-1/4), exp(-1/2), exp(-1) ... exp(-16) in Q0.31; the bit for exp(-1/4) is 2^24. */
const powersOfE = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242] as const;

/** exp(a) for a <= 0. @param a Q5.26 @returns Q0.31 */
export function expOnNegativeValues(a: number): number {
  if (a === 0) return maxInt32;
  const quarter = 2 ** 24;
  const inQuarter = (a & (quarter - 1)) - quarter;
  let result = expOnSmallInterval(inQuarter * 2 ** 5);
  const quarters = (inQuarter - a) / quarter;
  powersOfE.forEach((power, bit) => {
    if ((quarters >> bit) & 1) result = srdhm(result, power);
  });
  return result;
}

/** 1 / (1 + a) for a in [0, 1): three Newton steps. @param a Q0.31 @returns Q0.31 */
export function oneOverOnePlus(a: number): number {
  const half = Math.floor((a + maxInt32 + 1) / 2); // of the denominator
  let x = 1515870810 + srdhm(half, -1010580540); // 48/17 - 32/17 * half, Q2.29
  for (let step = 0; step < 3; ++step) {
    const remaining = 2 ** 29 - srdhm(half, x);
    x += saturate(srdhm(x, remaining) * 4);
  }
  return saturate(x * 2);
}
