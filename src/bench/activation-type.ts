// SPDX-License-Identifier: Apache-2.0
import type { QuantGraph, QuantValue } from '../graph/quant-graph.js';

/**
 * The same network with its 8-bit activations in another type: codes and zero points move by half
 * the range (128 for 8 bits), so every code keeps its real value. Wider values stay as they are.
 */
export function withActivationType(graph: QuantGraph, dtype: 'u8' | 's8'): QuantGraph {
  const values = [...graph.values].map(([name, value]) => [name, moved(value, dtype)] as const);
  return { ...graph, values: new Map(values) };
}

function moved(value: QuantValue, dtype: 'u8' | 's8'): QuantValue {
  const isByte = value.dtype === 'u8' || value.dtype === 's8';
  if (!isByte || value.dtype === dtype) return value;
  const half = 2 ** (value.bits - 1);
  return { ...value, dtype, zeroPoint: value.zeroPoint + (dtype === 'u8' ? half : -half) };
}
