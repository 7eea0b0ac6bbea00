// SPDX-License-Identifier: Apache-2.0
import {
  ceilPowerOfTwo,
  clampInteger,
  roundHalfEven,
  usableScale,
  type RealRange,
} from '../codes/scales.js';
import { weightLimits, type WeightGrid, type WeightScheme } from '../codes/weights.js';

/** `minmax` clips nothing; `mse` takes the range with the smallest squared error of the weights. */
export type WeightRangeMethod = 'minmax' | 'mse';

/**
 * Chooses scales and zero points for a weight tensor.
 *
 * @param data real weights, [O, C/group, KH, KW]
 * @param channels number of output channels
 * @param importance weight of each element's squared error (`mse` only); absent: all 1
 */
export function chooseWeightGrid(
  data: Float32Array,
  channels: number,
  scheme: WeightScheme,
  method: WeightRangeMethod,
  importance?: Float32Array,
): WeightGrid {
  const parts = scheme.perChannel ? channels : 1;
  const size = data.length / parts;
  const scales = new Float32Array(parts);
  const zeroPoints = new Int32Array(parts);
  for (let part = 0; part < parts; part++) {
    const slice = data.subarray(part * size, (part + 1) * size);
    const weighting = importance?.subarray(part * size, (part + 1) * size);
    const step =
      method === 'mse' ? minErrorStep(slice, scheme, weighting) : widestStep(slice, scheme);
    scales[part] = step.scale;
    zeroPoints[part] = step.zeroPoint;
  }
  giveZeroChannelsAScale(data, scales, size);
  return { scales, zeroPoints };
}

interface Step {
  readonly scale: number;
  readonly zeroPoint: number;
}

function rangeOf(data: Float32Array): RealRange {
  let min = 0;
  let max = 0;
  for (const value of data) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

function widestStep(data: Float32Array, scheme: WeightScheme): Step {
  return stepFor(rangeOf(data), scheme);
}

/** The finest step that holds the range, which includes zero. */
function stepFor(range: RealRange, scheme: WeightScheme): Step {
  const [minCode, maxCode] = weightLimits(scheme);
  if (scheme.zeroPoint) {
    const scale = usableScale((range.max - range.min) / (maxCode - minCode));
    const zeroPoint = clampInteger(roundHalfEven(minCode - range.min / scale), minCode, maxCode);
    return { scale, zeroPoint };
  }
  const [low, high] = scheme.dtype === 'u8' ? [minCode - 128, maxCode - 128] : [minCode, maxCode];
  const needed = Math.max(range.max / high, range.min / low);
  const zeroPoint = scheme.dtype === 'u8' ? 128 : 0;
  return { scale: scheme.powerOfTwo ? ceilPowerOfTwo(needed) : usableScale(needed), zeroPoint };
}

/**
 * Tries ranges from the full one downwards and keeps the one whose rounding and clipping cost
 * the minimum; for powers of two that is every exponent from the widest to 1/64 of it.
 */
function minErrorStep(
  data: Float32Array,
  scheme: WeightScheme,
  importance: Float32Array | undefined,
): Step {
  const widest = rangeOf(data);
  let best = stepFor(widest, scheme);
  let lowest = squaredError(data, best, scheme, importance);
  for (const ratio of scheme.powerOfTwo ? powerRatios : linearRatios) {
    const range = { min: widest.min * ratio, max: widest.max * ratio };
    const step = stepFor(range, scheme);
    const error = squaredError(data, step, scheme, importance);
    if (error < lowest) [best, lowest] = [step, error];
  }
  return best;
}

const linearRatios = Array.from({ length: 50 }, (_, i) => 1 - (i + 1) / 64);
const powerRatios = [1, 2, 3, 4, 5, 6].map((e) => 2 ** -e);

/** Sum of importance x (w - w')^2. */
export function squaredError(
  data: Float32Array,
  step: Step,
  scheme: WeightScheme,
  importance?: Float32Array,
): number {
  const [minCode, maxCode] = weightLimits(scheme);
  const inverse = 1 / step.scale;
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    const code = clampInteger(Math.round(data[i]! * inverse) + step.zeroPoint, minCode, maxCode);
    const error = data[i]! - (code - step.zeroPoint) * step.scale;
    sum += error * error * (importance === undefined ? 1 : importance[i]!);
  }
  return sum;
}

/**
 * A channel of zeros says nothing about its scale. It takes the largest of the others, so that
 * its bias, at scale (input x weight), stays small.
 */
export function giveZeroChannelsAScale(
  data: Float32Array,
  scales: Float32Array,
  size: number,
): void {
  const isZero = Array.from(scales, (_, part) =>
    data.subarray(part * size, (part + 1) * size).every((value) => value === 0),
  );
  const others = scales.filter((_, part) => !isZero[part]);
  const substitute = others.length === 0 ? 1 : others.reduce((a, b) => Math.max(a, b));
  isZero.forEach((zero, part) => {
    if (zero) scales[part] = substitute;
  });
}
