// SPDX-License-Identifier: Apache-2.0
// How the mean of the codes in a window is formed. Recipes: src/targets/NOTES.md.
import type { QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { sameQuantization } from '../../graph/quant-types.js';
import { exponentOf, quantizeMultiplier } from '../../numeric/multipliers.js';
import { type FixedRule, fixedPoint, fixedPointBig } from '../../numeric/requant.js';
import { type RoundRule, roundHalfAway, roundHalfEven } from '../../numeric/round.js';
import type { MeanForm } from '../../targets/target.js';
import type { AverageForm, Pair, Requant, Stage } from '../program.js';
import type { Layer } from './layer.js';
import { requantOf } from './requant.js';
import { limitsOf, type LoweringState } from './state.js';
import { type Interval, stepwise } from './stepwise.js';

const f32 = Math.fround;

/** Whether a mean keeps scale and zero point, so that a change of them is a step of its own. */
export function keepsScale(form: MeanForm): boolean {
  return form.kind === 'twoReciprocals' || form.kind === 'divide';
}

/** @param kernel the window's sides; their product is the number of codes in it */
export function meanForm(
  state: LoweringState,
  node: QuantNode,
  form: MeanForm,
  input: QuantValue,
  value: QuantValue,
  kernel: Pair,
): AverageForm {
  const n = kernel[0] * kernel[1];
  if (form.kind !== 'divide') {
    if (form.kind === 'f32Window')
      return { kind: 'f32Window', scaleIn: input.scale, scaleOut: value.scale };
    if (form.kind === 'f32ZeroInside') return zeroInside(input, value, n);
    if (form.kind === 'rawMean') return rawMean(input, value, n, form.rule);
    const requant = meanRequant(state, node, form, input, value, kernel);
    return { kind: 'requant', requant };
  }
  if (!sameQuantization(input, value)) {
    state.refuse(
      node,
      'changes the scale in a pool that keeps it; give input and output the same scale',
    );
  }
  return { kind: 'divide', rule: input.dtype === 'u8' ? form.u8 : form.s8 };
}

/** Sums of (code - zero point) over n codes. */
function sumsOf(input: QuantValue, n: number): Interval {
  const [least, greatest] = limitsOf(input);
  return [n * (least - input.zeroPoint), n * (greatest - input.zeroPoint)];
}

/**
 * TensorFlow Lite's optimized MEAN (optimized_ops.h): fixed(raw sum) + zero point out - z, where z
 * is f32(f32(zero point in * si) / so), rounded half away from zero by adding 1/2 in float32.
 */
function rawMean(input: QuantValue, value: QuantValue, n: number, rule: FixedRule): AverageForm {
  const { multiplier, shift } = quantizeMultiplier(f32(input.scale / f32(n * value.scale)));
  const zero = f32(f32(input.zeroPoint * input.scale) / value.scale);
  const offset = Math.trunc(f32(zero + (zero > 0 ? 0.5 : -0.5)));
  const raw = n * input.zeroPoint;
  const requant = stepwise(
    sumsOf(input, n),
    limitsOf(value),
    value.zeroPoint,
    (sum) => fixedPoint(sum + raw, multiplier, shift, rule) + value.zeroPoint - offset,
  );
  return { kind: 'requant', requant };
}

/**
 * XNNPACK's mean (reduce-nd.c, init_qs8_reduce in microparams-init.c): RNE(f32(f32(raw sum * factor)
 * + inner zero point)), both zero points in the inner one. A program adds the zero point after
 * rounding. Where that gives the same for every sum that can occur, the plain form is taken, else
 * thresholds.
 */
function zeroInside(input: QuantValue, value: QuantValue, n: number): AverageForm {
  const factor = f32(f32(input.scale / value.scale) * f32(1 / n));
  const { zeroPoint } = value;
  const raw = n * input.zeroPoint;
  const inner = f32(zeroPoint - f32(raw * factor));
  const exact = (a: number): number => roundHalfEven(f32(f32(f32(a + raw) * factor) + inner));
  const plain = (a: number): number => roundHalfEven(f32(f32(a) * factor)) + zeroPoint;
  const [lo, hi] = limitsOf(value);
  const sums = sumsOf(input, n);
  const clamp = (code: number): number => Math.min(Math.max(code, lo), hi);
  let agree = true;
  for (let a = sums[0]; agree && a <= sums[1]; ++a) agree = clamp(plain(a)) === clamp(exact(a));
  const requant: Requant = agree
    ? { kind: 'f32', scale: Float32Array.of(factor) }
    : stepwise(sums, [lo, hi], zeroPoint, exact);
  return { kind: 'requant', requant };
}

function meanRequant(
  state: LoweringState,
  node: QuantNode,
  form: Exclude<MeanForm, { kind: 'divide' | 'rawMean' | 'f32ZeroInside' | 'f32Window' }>,
  input: QuantValue,
  value: QuantValue,
  kernel: Pair,
): Requant {
  const n = kernel[0] * kernel[1];
  const [si, so] = [input.scale, value.scale];
  switch (form.kind) {
    case 'f32':
      return { kind: 'f32', scale: Float32Array.of(si / f32(so * n)) };
    case 'mean': {
      const { multiplier, shift } = dividedMultiplier(si / so, n);
      return fixed(state, node, multiplier, shift, form.rule);
    }
    case 'reciprocal': {
      const [ei, eo] = [exponentOf(si), exponentOf(so)];
      if (ei === undefined || eo === undefined)
        return state.refuse(node, 'has scales that are no powers of two');
      const k = form.bits - 1 + ceilLog2(n);
      const rounded = roundHalfAway(2 ** k / n);
      const [multiplier, digits] = rounded === 2 ** form.bits ? [rounded / 2, k - 1] : [rounded, k];
      return fixed(state, node, multiplier, digits + eo - ei, form.rule);
    }
    case 'flooredReciprocal': {
      if (si !== so)
        state.refuse(node, 'changes the scale in a pool that keeps it; give both sides the same');
      const k = ceilLog2(n);
      const multiplier = (((1n << BigInt(form.bits)) + 1n) << BigInt(k)) / BigInt(n);
      const shift = form.bits + k;
      if (multiplier < 1n << 31n) return fixed(state, node, Number(multiplier), shift, form.rule);
      return stepwise(sumsOf(input, n), limitsOf(value), value.zeroPoint, (sum) => {
        const mean = fixedPointBig(BigInt(sum), multiplier, shift, form.rule);
        return Number(mean) + value.zeroPoint;
      });
    }
    case 'code':
      return requantOf([(1 / n) * (si / so)], form.code, meanLayer(input, value, n), (_, reason) =>
        state.refuse(node, reason),
      );
    case 'twoReciprocals':
      return twoReciprocals(state, node, form, kernel);
    case 'dpuTable':
      return dpuMean(state, node, form.rule, [si, so], kernel);
    case 'f32Inverse': {
      const scale = Float32Array.of((f32(1 / n) * si) / so);
      return { kind: 'f32Rule', scale, rule: form.rule };
    }
  }
}

function meanLayer(input: QuantValue, value: QuantValue, n: number): Layer {
  const [least, greatest] = limitsOf(input);
  const [lo, hi] = limitsOf(value);
  const { zeroPoint } = input;
  return {
    steps: [input.scale],
    divisor: n,
    outputScale: value.scale,
    zeroPoint: value.zeroPoint,
    clamp: { lo: Int32Array.of(lo), hi: Int32Array.of(hi) },
    reach: n * Math.max(zeroPoint - least, greatest - zeroPoint),
  };
}

/** NVDLA's PDP: width first, then height (PoolingStage1Calc). */
function twoReciprocals(
  state: LoweringState,
  node: QuantNode,
  { bits, greatestSide, rule }: Extract<MeanForm, { kind: 'twoReciprocals' }>,
  [height, width]: Pair,
): Requant {
  if (Math.max(height, width) > greatestSide) {
    state.refuse(
      node,
      `averages ${height} x ${width} codes, the target's pools have sides up to ${greatestSide}; pool in two steps`,
    );
  }
  const stages = [width, height].flatMap((side): Stage[] => [
    { kind: 'multiply', factor: Int32Array.of(Math.floor(2 ** bits / side)) },
    { kind: 'shift', shift: Int8Array.of(bits), rule },
  ]);
  return { kind: 'stages', stages };
}

/** Vitis AI's pool-fix: the sum times N / 2^M, then the difference of the fix positions. */
function dpuMean(
  state: LoweringState,
  node: QuantNode,
  rule: RoundRule,
  scales: readonly [number, number],
  kernel: Pair,
): Requant {
  const [ei, eo] = scales.map(exponentOf);
  if (ei === undefined || eo === undefined)
    return state.refuse(node, 'has scales that are no powers of two');
  const [factor, digits] = dpuFactors(kernel);
  return {
    kind: 'stages',
    stages: [
      { kind: 'multiply', factor: Int32Array.of(factor) },
      { kind: 'shift', shift: Int8Array.of(digits + eo - ei), rule },
    ],
  };
}

/** N and M of square windows that the DPU has constants for, by their side. */
const dpuConstants: Readonly<Record<number, readonly [number, number]>> = {
  3: [7, 6],
  5: [10, 8],
  6: [7, 8],
  7: [21, 10],
  14: [21, 12],
};

/** N and M with N / 2^M nearest to 1 / n; the first of equally near ones, compared in float32. */
function dpuFactors([height, width]: Pair): readonly [number, number] {
  const known = dpuConstants[height];
  if (height === width && known !== undefined) return known;
  const n = height * width;
  let best: readonly [number, number] = [0, 0];
  let nearest = 1;
  for (let digits = 0; digits < Math.ceil(Math.log2(n * 128)); ++digits) {
    const factor = roundHalfAway(2 ** digits / n);
    const distance = Math.abs(factor / 2 ** digits - f32(1 / n));
    if (distance < nearest) [best, nearest] = [[factor, digits], f32(distance)];
  }
  return best;
}

/** TensorFlow Lite's MEAN (reduce.h): the multiplier of si / so divided by n without losing bits. */
function dividedMultiplier(factor: number, n: number): { multiplier: number; shift: number } {
  const { multiplier, shift } = quantizeMultiplier(factor);
  const exponent = 31 - shift;
  const k = Math.min(31 - Math.clz32(n), 32, 31 + exponent);
  const divided = Number((BigInt(multiplier) << BigInt(k)) / BigInt(n));
  return { multiplier: divided, shift: shift + k };
}

function fixed(
  state: LoweringState,
  node: QuantNode,
  multiplier: number,
  shift: number,
  rule: Extract<Requant, { kind: 'fixed' }>['rule'],
): Requant {
  if (shift < 1 || shift > 62) {
    state.refuse(node, `needs a shift of ${shift}, outside [1, 62]; choose another output scale`);
  }
  return {
    kind: 'fixed',
    multiplier: Int32Array.of(multiplier),
    shift: Uint8Array.of(shift),
    rule,
  };
}

/** Least k with 2^k >= n. */
function ceilLog2(n: number): number {
  return n === 1 ? 0 : 32 - Math.clz32(n - 1);
}
