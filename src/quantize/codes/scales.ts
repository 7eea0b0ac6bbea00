// SPDX-License-Identifier: Apache-2.0
import { ModelError, UsageError } from '../../errors.js';
import type { QuantDType } from '../../graph/quant-graph.js';
import { bitsOfType, clampInteger, codeLimits } from '../../numeric/code-types.js';
import { roundHalfEven } from '../../numeric/round.js';
import type { TargetConstraints } from '../../targets/target.js';

export { clampInteger, codeLimits, roundHalfEven };

/** What activations a target takes. */
export interface ActivationScheme {
  /** In order of preference. */
  readonly dtypes: readonly ActivationDType[];
  /** Zero points other than 0 are allowed. */
  readonly zeroPoint: boolean;
  readonly powerOfTwo: boolean;
}

/** Types of codes that an activation may have; 32 bits are for outputs alone. */
export type ActivationDType = Exclude<QuantDType, 's32'>;

/** A closed range of real values. */
export interface RealRange {
  readonly min: number;
  readonly max: number;
}

/** How reals become codes: code = round(real / scale) + zeroPoint, within the type. */
export interface Quantization {
  readonly dtype: QuantDType;
  readonly bits: number;
  /** A float32 value above zero. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Below this no scale is chosen, so that products and quotients of scales stay normal floats. */
const minScale = 2 ** -40;

/** What a target's constraints say of activations. */
export function activationScheme(constraints: TargetConstraints): ActivationScheme {
  return {
    dtypes: constraints.activations,
    zeroPoint: constraints.activationZeroPoint,
    powerOfTwo: constraints.scales === 'powerOfTwo',
  };
}

/**
 * The activation type for a range: the first allowed one, except that without zero points an
 * unsigned type holds no negative values.
 *
 * @throws UsageError where no allowed type can hold the range
 */
export function activationDType(range: RealRange, scheme: ActivationScheme): ActivationDType {
  const fits = (dtype: ActivationDType): boolean =>
    scheme.zeroPoint || dtype !== 'u8' || range.min >= 0;
  const dtype = scheme.dtypes.find(fits);
  if (dtype !== undefined) return dtype;
  throw new UsageError(
    'no-activation-type',
    'target',
    `none of its types (${scheme.dtypes.join(', ')}) holds [${range.min}, ${range.max}] ` +
      'without a zero point; choose another target',
  );
}

/**
 * The finest quantization of a type that does not clip `range`. The range is widened to hold
 * zero, which then has an exact code (q = zeroPoint): padding and ReLU need it.
 */
export function quantizationOf(
  range: RealRange,
  dtype: ActivationDType,
  scheme: ActivationScheme,
): Quantization {
  const lo = Math.min(range.min, 0);
  const hi = Math.max(range.max, 0);
  const [minCode, maxCode] = codeLimits(dtype);
  const bits = bitsOfType[dtype];
  if (scheme.powerOfTwo) {
    const needed = Math.max(hi / maxCode, minCode === 0 ? 0 : lo / minCode);
    return { dtype, bits, scale: ceilPowerOfTwo(needed), zeroPoint: 0 };
  }
  if (!scheme.zeroPoint || dtype === 's16') {
    const needed = Math.max(hi / maxCode, minCode === 0 ? 0 : lo / minCode);
    return { dtype, bits, scale: usableScale(needed), zeroPoint: 0 };
  }
  const scale = usableScale((hi - lo) / (maxCode - minCode));
  const zeroPoint = clampInteger(roundHalfEven(minCode - lo / scale), minCode, maxCode);
  return { dtype, bits, scale, zeroPoint };
}

/** The real values of the minimal and the maximal code. */
export function representedRange(quantization: Quantization): RealRange {
  const [minCode, maxCode] = codeLimits(quantization.dtype, quantization.bits);
  const { scale, zeroPoint } = quantization;
  return { min: (minCode - zeroPoint) * scale, max: (maxCode - zeroPoint) * scale };
}

/** A float32 scale that is never zero: an all-zero or constant tensor gets 1. */
export function usableScale(scale: number): number {
  if (scale === 0) return 1;
  return Math.fround(Math.max(scale, minScale));
}

/** The smallest 2^e that is not below `scale`. */
export function ceilPowerOfTwo(scale: number): number {
  if (scale === 0) return 1;
  const exponent = Math.ceil(Math.log2(Math.max(scale, minScale)));
  // log2 may round across an integer either way.
  if (2 ** (exponent - 1) >= scale) return Math.max(2 ** (exponent - 1), minScale);
  return 2 ** exponent >= scale ? 2 ** exponent : 2 ** (exponent + 1);
}

/** @throws ModelError `not-finite` naming the node */
export function requireFiniteData(node: string, what: string, data: ArrayLike<number>): void {
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    throw new ModelError(
      'not-finite',
      `node "${node}"`,
      `its ${what} holds ${data[i]!} at index ${i}; repair or re-export the model`,
    );
  }
}
