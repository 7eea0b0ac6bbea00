// SPDX-License-Identifier: Apache-2.0
// ONNX models written by hand for tests of the quantized importer.
import type {
  OnnxAttribute,
  OnnxData,
  OnnxDType,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
} from '../../src/onnx/file/model.js';

export const int = (value: number): OnnxAttribute => ({ type: 'int', value });
export const ints = (...value: number[]): OnnxAttribute => ({ type: 'ints', value });
export const float = (value: number): OnnxAttribute => ({ type: 'float', value });

/** A model under construction; everything is public so that a test can break it. */
export class ModelBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxTensor>();
  outputs: string[] = [];

  constructor(
    readonly inputShape: readonly number[] = [1, 2, 4, 4],
    readonly inputType: OnnxDType = 'f32',
    readonly opset = 13,
  ) {}

  constant(name: string, dtype: OnnxDType, shape: readonly number[], data: OnnxData): string {
    this.initializers.set(name, { name, dtype, shape, data });
    return name;
  }

  scalar(name: string, dtype: OnnxDType, value: number): string {
    const data = dtype === 'f32' ? Float32Array.of(value) : Int32Array.of(value);
    const codes =
      dtype === 'u8' ? Uint8Array.of(value) : dtype === 's8' ? Int8Array.of(value) : data;
    return this.constant(name, dtype, [], codes);
  }

  node(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Record<string, OnnxAttribute> = {},
    domain = '',
  ): string {
    this.nodes.push({
      name: `${output}:${op}`,
      op,
      domain,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
    return output;
  }

  /** Q then DQ of `tensor`; returns the dequantized tensor. */
  pair(tensor: string, scale: number, zeroPoint: number, dtype: 'u8' | 's8' = 'u8'): string {
    const parameters = [
      this.scalar(`${tensor}_s`, 'f32', scale),
      this.scalar(`${tensor}_z`, dtype, zeroPoint),
    ];
    this.node('QuantizeLinear', [tensor, ...parameters], `${tensor}_q`);
    return this.node('DequantizeLinear', [`${tensor}_q`, ...parameters], `${tensor}_dq`);
  }

  /** Per-tensor s8 weights behind a DequantizeLinear. */
  weights(name: string, shape: readonly number[], scale: number): string {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Int8Array.from({ length: size }, (_, i) => ((i * 37) % 255) - 127);
    this.constant(`${name}_q`, 's8', shape, data);
    return this.node(
      'DequantizeLinear',
      [`${name}_q`, this.scalar(`${name}_s`, 'f32', scale), this.scalar(`${name}_z`, 's8', 0)],
      name,
    );
  }

  model(): OnnxModel {
    return {
      irVersion: 7,
      opsets: new Map([
        ['', this.opset],
        ['com.microsoft', 1],
      ]),
      producer: { name: 'test', version: '' },
      metadata: new Map(),
      graph: {
        name: 'test',
        nodes: this.nodes,
        initializers: this.initializers,
        inputs: [{ name: 'x', dtype: this.inputType, shape: this.inputShape }],
        outputs: this.outputs.map((name) => ({ name, dtype: 'f32' as const })),
        valueInfo: [],
      },
    };
  }
}
