// SPDX-License-Identifier: Apache-2.0
// Rounding of float32 and float64 tensors, by operators that are exact or round once.
import type { FloatRule } from '../numeric/round.js';
import type { CodeClamp } from '../program/program.js';
import type { CodesTensor, Steps } from './steps.js';

export interface Floats {
  readonly tensor: string;
  readonly type: 'f32' | 'f64';
}

/** To the nearest integer by a named rule; infinities stay. */
export function roundFloats(steps: Steps, { tensor, type }: Floats, rule: FloatRule): Floats {
  switch (rule) {
    case 'halfEven':
      return { tensor: steps.node('Round', [tensor]), type };
    case 'halfAway':
      return { tensor: halfAway(steps, { tensor, type }), type };
    case 'halfUp': {
      // A float32 plus 1/2 is exact in binary64, or so small that its floor is 0 all the same.
      const wide = type === 'f64' ? tensor : steps.cast(tensor, 'f64');
      return { tensor: floorOfHalfMore(steps, { tensor: wide, type: 'f64' }), type: 'f64' };
    }
    case 'addHalfFloor':
      return { tensor: floorOfHalfMore(steps, { tensor, type }), type };
  }
}

function floorOfHalfMore(steps: Steps, { tensor, type }: Floats): string {
  return steps.node('Floor', [steps.node('Add', [tensor, steps.reals([0.5], type)])]);
}

/**
 * sign * (floor(|x|) + (|x| - floor(|x|) >= 1/2)). Not floor(|x| + 1/2): that sum rounds, and takes
 * the float just below 1/2 to 1. The difference is exact.
 */
function halfAway(steps: Steps, { tensor, type }: Floats): string {
  const size = steps.node('Abs', [tensor]);
  const down = steps.node('Floor', [size]);
  const rest = steps.node('Sub', [size, down]);
  const up = steps.node('GreaterOrEqual', [rest, steps.reals([0.5], type)]);
  const rounded = steps.node('Add', [down, steps.cast(up, type)]);
  return steps.node('Mul', [rounded, steps.node('Sign', [tensor])]);
}

/** Float integers below this are exact, and so are their sums with codes of 16 bits. */
const exact = 2 ** 23;

/**
 * Writes min(max(x + zeroPoint, lo), hi) for integers x in floats, which may be infinite: the clamp
 * comes first, shifted, so that the sum and the cast are exact.
 */
export function storeFloats(
  steps: Steps,
  x: Floats,
  { lo, hi }: CodeClamp,
  zeroPoint: number,
  output: CodesTensor,
): void {
  const less = (bounds: Int32Array): number[] => Array.from(bounds, (bound) => bound - zeroPoint);
  const small = [...less(lo), ...less(hi)].every((bound) => Math.abs(bound) <= exact);
  const type = small ? x.type : 'f64';
  const tensor = type === x.type ? x.tensor : steps.cast(x.tensor, 'f64');
  const clamped = steps.node('Min', [
    steps.node('Max', [tensor, steps.reals(less(lo), type)]),
    steps.reals(less(hi), type),
  ]);
  const shifted =
    zeroPoint === 0 ? clamped : steps.node('Add', [clamped, steps.reals([zeroPoint], type)]);
  steps.cast(shifted, output.dtype, output.tensor);
}
