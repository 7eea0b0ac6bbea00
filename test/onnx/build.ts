// SPDX-License-Identifier: Apache-2.0
// Small ONNX models in any operator set, for tests.
import type {
  OnnxAttribute,
  OnnxDim,
  OnnxDType,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
} from '../../src/onnx/file/model.js';

export const float = (value: number): OnnxAttribute => ({ type: 'float', value });
export const int = (value: number): OnnxAttribute => ({ type: 'int', value });
export const ints = (...value: number[]): OnnxAttribute => ({ type: 'ints', value });
export const text = (value: string): OnnxAttribute => ({ type: 'string', value });

/** A node; its name is that of its first output unless given. */
export function node(
  op: string,
  inputs: string[],
  outputs: string | string[],
  attributes: Record<string, OnnxAttribute> = {},
  name?: string,
): OnnxNode {
  const list = [outputs].flat();
  return {
    name: name ?? `n_${list[0]!}`,
    op,
    domain: '',
    inputs,
    outputs: list,
    attributes: new Map(Object.entries(attributes)),
  };
}

export function f32(shape: number[], data: ArrayLike<number>): Omit<OnnxTensor, 'name'> {
  return { dtype: 'f32', shape, data: Float32Array.from(data) };
}

export function s64(data: number[], shape = [data.length]): Omit<OnnxTensor, 'name'> {
  return { dtype: 's64', shape, data: Float64Array.from(data) };
}

/** A deterministic generator of numbers in [-1, 1): mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomTensor(shape: number[], seed: number): Omit<OnnxTensor, 'name'> {
  const next = randomNumbers(seed);
  return f32(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next));
}

export interface ModelParts {
  opset?: number;
  irVersion?: number;
  input?: OnnxDim[];
  inputDType?: OnnxDType;
  /** Shape of the output `y`. */
  output: OnnxDim[];
  nodes: OnnxNode[];
  weights?: Record<string, Omit<OnnxTensor, 'name'>>;
  /** List the weights as inputs too, as files before IR version 4 must. */
  weightsAsInputs?: boolean;
}

/** A model from input `x` to output `y`. */
export function model(parts: ModelParts): OnnxModel {
  const weights = Object.entries(parts.weights ?? {}).map(([name, t]) => ({ name, ...t }));
  return {
    irVersion: parts.irVersion ?? 7,
    opsets: new Map([['', parts.opset ?? 13]]),
    producer: { name: 'test', version: '1' },
    metadata: new Map([['origin', 'test']]),
    graph: {
      name: 'net',
      nodes: parts.nodes,
      initializers: new Map(weights.map((tensor) => [tensor.name, tensor])),
      inputs: [
        { name: 'x', dtype: parts.inputDType ?? 'f32', shape: parts.input ?? [1, 3, 8, 8] },
        ...(parts.weightsAsInputs === true ? weights : []).map(({ name, dtype, shape }) => ({
          name,
          dtype,
          shape,
        })),
      ],
      outputs: [{ name: 'y', dtype: 'f32', shape: parts.output }],
      valueInfo: [],
    },
  };
}
