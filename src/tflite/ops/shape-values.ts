// SPDX-License-Identifier: Apache-2.0
// Computations of shapes: SHAPE, STRIDED_SLICE, PACK and the like, which converters leave in files
// whose batch size is open. Every tensor states its own shape, so their results are not needed;
// here they are only told apart from layers.
import type { TfliteOperator } from '../reader.js';
import type { TfliteState } from './state.js';

/**
 * Whether an operator only computes sizes: SHAPE, or anything whose inputs are such results and
 * constants. Then its outputs are marked as such results.
 */
export function readShapeValue(state: TfliteState, operator: TfliteOperator): boolean {
  const isSize = (index: number) => state.shapeValues.has(index);
  const inputs = operator.inputs.filter((index) => index !== -1);
  const isComputation =
    operator.op === 'SHAPE' ||
    (inputs.some(isSize) &&
      inputs.every((index) => isSize(index) || state.tensor(index).data !== undefined));
  if (!isComputation) return false;
  for (const output of operator.outputs) state.shapeValues.add(output);
  return true;
}
