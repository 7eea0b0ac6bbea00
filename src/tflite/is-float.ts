// SPDX-License-Identifier: Apache-2.0
import type { TfliteModel } from './reader.js';

/** Whether the layers of a .tflite file run in float: float32, or float16 that is widened. */
export function isFloatTflite({ operators, tensors }: TfliteModel): boolean {
  const layers = operators.filter(({ op }) => op.includes('CONV_2D') || op === 'FULLY_CONNECTED');
  return (
    layers.length > 0 && layers.every(({ inputs }) => tensors[inputs[0] ?? -1]?.type === 'f32')
  );
}
