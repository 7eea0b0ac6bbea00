// SPDX-License-Identifier: Apache-2.0
// Convolutions: window, integer weights and bias behind DequantizeLinear.
import type { QuantConv, QuantValue } from '../../graph/quant-graph.js';
import { type OnnxBuilder, attribute } from '../file/builder.js';
import { intArray } from './activations.js';
import { type Stage, type Writer, isGemm, valueOf } from './writer.js';

export function convStage(writer: Writer, conv: QuantConv, inputs: readonly string[]): Stage {
  const { graph, file } = writer;
  const { name } = conv;
  const gemm = isGemm(graph, conv);
  const operands = [...inputs, writeWeight(file, conv, gemm)];
  if (conv.bias !== undefined) {
    operands.push(writeBias(file, conv, conv.bias, valueOf(graph, conv.inputs[0]!)));
  }
  if (gemm) {
    return { op: 'Gemm', name, inputs: operands, attributes: { transB: attribute.int(1) } };
  }
  const attributes = {
    ...windowAttributes(conv),
    dilations: attribute.ints(conv.dilations),
    group: attribute.int(conv.group),
  };
  return { op: 'Conv', name, inputs: operands, attributes };
}

/** @returns the name of the dequantized weights */
function writeWeight(file: OnnxBuilder, conv: QuantConv, gemm: boolean): string {
  const { weight, name } = conv;
  const channels = Math.max(weight.scales.length, weight.zeroPoints.length);
  const [codes, scales, zeros] = weightOperands(file, conv, gemm);
  // A single zero point of 0 beside scales per channel is what an absent input means.
  const implied = impliesZero(weight);
  const inputs = implied ? [codes, scales] : [codes, scales, zeros()];
  return dequantizeConstant(file, `${name}_weight`, inputs, channels);
}

/** Whether the zero points are the single 0 beside several scales. */
export function impliesZero({ scales, zeroPoints }: QuantConv['weight']): boolean {
  return zeroPoints.length === 1 && zeroPoints[0] === 0 && scales.length > 1;
}

/** Writes codes and scales of the weights, and their zero points when asked. */
export function weightOperands(
  file: OnnxBuilder,
  { name, weight }: QuantConv,
  gemm: boolean,
): readonly [codes: string, scales: string, zeroPoints: () => string] {
  const { dtype, zeroPoints } = weight;
  const shape = gemm ? weight.shape.slice(0, 2) : weight.shape;
  const channels = Math.max(weight.scales.length, zeroPoints.length);
  const codes = file.constant(`${name}_weight_quantized`, dtype, shape, weight.data);
  const scales = spread(weight.scales, channels);
  // QGemm wants as many as there are scales.
  const zeroCount = impliesZero(weight) && !gemm ? 1 : channels;
  const zeros = intArray(dtype, [...spread(zeroPoints, zeroCount)]);
  return [
    codes,
    file.constant(`${name}_weight_scale`, 'f32', dims(channels), scales),
    () => file.constant(`${name}_weight_zero_point`, dtype, dims(zeroCount), zeros),
  ];
}

/** @returns the name of the dequantized bias; its scale is f32(input scale x weight scale) */
function writeBias(
  file: OnnxBuilder,
  { name, weight }: QuantConv,
  bias: Int32Array,
  input: QuantValue,
): string {
  const scales = weight.scales.map((scale) => input.scale * scale);
  const codes = file.constant(`${name}_bias_quantized`, 's32', [bias.length], bias);
  const scale = file.constant(`${name}_bias_scale`, 'f32', dims(scales.length), scales);
  return dequantizeConstant(file, `${name}_bias`, [codes, scale], scales.length);
}

function dequantizeConstant(
  file: OnnxBuilder,
  wanted: string,
  inputs: readonly string[],
  channels: number,
): string {
  const output = file.value(wanted);
  const axis = channels > 1 ? { axis: attribute.int(0) } : undefined;
  file.node('DequantizeLinear', file.layer(`${wanted}_DequantizeLinear`), inputs, output, axis);
  return output;
}

function dims(channels: number): readonly number[] {
  return channels > 1 ? [channels] : [];
}

/** One entry for all channels -> one each. */
function spread<T extends Float32Array | Int32Array>(values: T, length: number): T {
  if (values.length === length) return values;
  const each = values instanceof Float32Array ? new Float32Array(length) : new Int32Array(length);
  return each.fill(values[0]!) as T;
}

export function windowAttributes(window: {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
}) {
  return {
    kernel_shape: attribute.ints(window.kernel),
    strides: attribute.ints(window.strides),
    pads: attribute.ints(window.pads),
  };
}
