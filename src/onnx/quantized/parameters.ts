// SPDX-License-Identifier: Apache-2.0
// Scales and zero points as ONNX operators carry them.
import type { QuantDType } from '../../graph/quant-graph.js';
import type { OnnxDType, OnnxNode, OnnxTensor } from '../file/model.js';
import type { ConstantCodes, Quantization } from './known.js';
import type { ImportState } from './state.js';

/** Scales and zero points of one operator input, checked. */
export interface Parameters {
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  /** Type of the zero point; undefined where there is none. */
  readonly dtype: OnnxDType | undefined;
}

const storage: Partial<Record<OnnxDType, { dtype: QuantDType; bits: number }>> = {
  u8: { dtype: 'u8', bits: 8 },
  s8: { dtype: 's8', bits: 8 },
  s16: { dtype: 's16', bits: 16 },
  s32: { dtype: 's32', bits: 32 },
  u4: { dtype: 'u8', bits: 4 },
  s4: { dtype: 's8', bits: 4 },
};

/** How codes of an ONNX type are held; undefined for types that are not codes here. */
export function storageOf(dtype: OnnxDType) {
  return storage[dtype];
}

/**
 * Reads scale and zero point of `node` at the given inputs.
 *
 * @returns undefined where something is wrong, which is reported
 */
export function readParameters(
  state: ImportState,
  node: OnnxNode,
  scaleInput: number,
  zeroInput: number,
): Parameters | undefined {
  const scale = state.constant(node, scaleInput);
  if (scale === undefined) {
    const name = node.inputs[scaleInput] ?? '';
    const got = name === '' ? 'none' : `"${name}", which is not one`;
    state.fail(
      node,
      'missing-scale',
      `expected a constant scale at input ${scaleInput}, got ${got}; store the scale in the file (static quantization)`,
    );
    return undefined;
  }
  if (scale.dtype !== 'f32') {
    reject(state, node, `expected a float32 scale, got ${scale.dtype}`);
    return;
  }
  const scales = Float32Array.from(scale.data);
  if (scales.length === 0 || !scales.every((s) => s > 0 && s < Infinity)) {
    reject(state, node, `expected positive finite scales, got ${scales.join(', ')}`);
    return;
  }
  const zeroName = node.inputs[zeroInput] ?? '';
  if (zeroName === '') return { scales, zeroPoints: Int32Array.of(0), dtype: undefined };
  const zero = state.constant(node, zeroInput);
  if (zero === undefined) {
    reject(state, node, `expected a constant zero point, got "${zeroName}"`);
    return;
  }
  if (storageOf(zero.dtype) === undefined) {
    reject(
      state,
      node,
      `expected codes of type u8, s8, s16, s4, u4 or s32, got ${zero.dtype}; quantize to one of them`,
    );
    return;
  }
  if (zero.data.length !== scales.length && zero.data.length !== 1) {
    reject(
      state,
      node,
      `expected one zero point per scale (${scales.length}), got ${zero.data.length}`,
    );
    return;
  }
  return { scales, zeroPoints: Int32Array.from(zero.data), dtype: zero.dtype };
}

/** An activation has one scale and one zero point. */
export function activationParameters(
  state: ImportState,
  node: OnnxNode,
  scaleInput: number,
  zeroInput: number,
  fallback: OnnxDType = 'u8',
): Quantization | undefined {
  const parameters = readParameters(state, node, scaleInput, zeroInput);
  if (parameters === undefined) return undefined;
  const { scales, zeroPoints } = parameters;
  const stored = storageOf(parameters.dtype ?? fallback)!;
  if (scales.length !== 1 || zeroPoints.length !== 1) {
    reject(
      state,
      node,
      `expected one scale for an activation, got ${scales.length}; quantize activations per tensor`,
    );
    return;
  }
  return { ...stored, scale: scales[0]!, zeroPoint: zeroPoints[0]! };
}

/**
 * Joins integer data with its parameters.
 *
 * @param axis of the scales where there are several; may be negative
 */
export function constantCodes(
  state: ImportState,
  node: OnnxNode,
  tensor: OnnxTensor,
  parameters: Parameters,
  axis: number,
): ConstantCodes | undefined {
  const stored = storageOf(tensor.dtype);
  if (stored === undefined) {
    reject(state, node, `expected integer codes, got ${tensor.dtype} in "${tensor.name}"`);
    return;
  }
  const { scales, zeroPoints, dtype } = parameters;
  if (dtype !== undefined && dtype !== tensor.dtype) {
    reject(state, node, `expected a zero point of type ${tensor.dtype}, got ${dtype}`);
    return;
  }
  const { shape, data } = tensor;
  const several = scales.length > 1 || zeroPoints.length > 1;
  const normal = axis < 0 ? axis + shape.length : axis;
  if (several) {
    if (normal < 0 || normal >= shape.length) {
      axisProblem(
        state,
        node,
        `expected a quantization axis from ${-shape.length} to ${shape.length - 1} for shape [${shape.join(', ')}], got ${axis}`,
      );
      return;
    }
    if (shape[normal] !== scales.length) {
      axisProblem(
        state,
        node,
        `expected ${shape[normal]!} scales along axis ${normal} of shape [${shape.join(', ')}], got ${scales.length}`,
      );
      return;
    }
  }
  return { ...stored, shape, data, scales, zeroPoints, axis: several ? normal : 0 };
}

function axisProblem(state: ImportState, node: OnnxNode, detail: string): undefined {
  state.fail(node, 'bad-quantization-axis', `${detail}; correct the axis attribute`);
  return undefined;
}

function reject(state: ImportState, node: OnnxNode, detail: string): undefined {
  state.fail(node, 'bad-quantization', detail);
  return undefined;
}
