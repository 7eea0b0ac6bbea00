// SPDX-License-Identifier: Apache-2.0
// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED. The twin of ops/convolutions.ts.
import { ModelError } from '../../errors.js';
import type { QuantConv, QuantValue } from '../../graph/quant-graph.js';
import { activationOf } from './activations.js';
import type { OperatorOptions } from './file.js';
import { field } from './flat-tables.js';
import { type ActivationType, type TfliteWriter, littleEndian } from './state.js';
import { windowOf } from './windows.js';

/** Where an element of [O,I,KH,KW] lies in the file's layout. */
type Place = (o: number, i: number, y: number, x: number) => number;

/** How a kind of convolution is written. */
interface Form {
  readonly op: 'CONV_2D' | 'DEPTHWISE_CONV_2D' | 'FULLY_CONNECTED';
  readonly shape: readonly number[];
  /** The dimension of the output channels in it. */
  readonly axis: number;
  readonly place: Place;
}

export function writeConv(writer: TfliteWriter, conv: QuantConv): void {
  const type = writer.commonType(conv);
  if (type === undefined) return;
  const form = formOf(writer, conv);
  const activation = activationOf(writer, conv);
  if (form === undefined || activation === undefined) return;
  const window = form.op === 'FULLY_CONNECTED' ? undefined : windowOf(writer, conv);
  if (form.op !== 'FULLY_CONNECTED' && window === undefined) return;
  const input = window?.input ?? writer.input(conv);
  const constants = [weightTensor(writer, conv, form), ...biasTensor(writer, conv, type)];
  const options = optionsOf(conv, form, activation.code, window?.padding ?? 0, input);
  const version = versionOf(conv, form, type);
  writer.add(conv, { op: form.op, version, options, constants }, [input]);
}

/**
 * TFLite's pairs of types: u8 codes with u8 weights of one scale, s8 or s16 codes with s8 weights
 * without zero points.
 *
 * @throws ModelError naming the first convolution of another kind
 */
export function requireKernels({ graph }: TfliteWriter): void {
  const convs = graph.nodes.filter((node) => node.op === 'Conv');
  const strange = convs.filter((conv) => {
    const { dtype, zeroPoints, scales } = conv.weight;
    const isUnsigned = graph.values.get(conv.inputs[0]!)?.dtype === 'u8';
    if (isUnsigned) return dtype !== 'u8' || scales.length > 1;
    return dtype !== 's8' || zeroPoints.some((zero) => zero !== 0);
  });
  const [first] = strange;
  if (first === undefined) return;
  const { dtype, scales, zeroPoints } = first.weight;
  const type = graph.values.get(first.inputs[0]!)?.dtype;
  const offset = zeroPoints.some((zero) => zero !== 0) ? ' with zero points' : '';
  throw new ModelError(
    'unsupported-types',
    `layer "${first.name}"${strange.length > 1 ? ` and ${strange.length - 1} more` : ''}`,
    `TFLite has no kernel for ${type} codes with ${dtype} weights of ${scales.length} scales${offset}; quantize for tflm (s8, 16x8) or tflite-u8 (u8), or write an .onnx file`,
  );
}

function formOf(writer: TfliteWriter, conv: QuantConv): Form | undefined {
  const [outputs, inputs, height, width] = conv.weight.shape as [number, number, number, number];
  const value = writer.input(conv);
  if (conv.fullyConnected) {
    const order = elementOrder(writer.flattened.get(value.name));
    return {
      op: 'FULLY_CONNECTED',
      shape: [outputs, inputs],
      axis: 0,
      place: (o, i) => o * inputs + order(i),
    };
  }
  if (value.shape.length !== 4) {
    writer.fail(
      conv,
      'unsupported-shape',
      `it reads [${value.shape.join(', ')}], and TFLite convolves images; write an .onnx file`,
    );
    return;
  }
  const isDepthwise =
    inputs === 1 && conv.group === value.shape[1] && (conv.group > 1 || conv.oneChannelDepthwise);
  if (isDepthwise) {
    return {
      op: 'DEPTHWISE_CONV_2D',
      shape: [1, height, width, outputs],
      axis: 3,
      place: (o, _, y, x) => (y * width + x) * outputs + o,
    };
  }
  return {
    op: 'CONV_2D',
    shape: [outputs, height, width, inputs],
    axis: 0,
    place: (o, i, y, x) => ((o * height + y) * width + x) * inputs + i,
  };
}

/** NCHW position of a flattened image's element -> its NHWC position; rows keep theirs. */
function elementOrder(image: QuantValue | undefined): (i: number) => number {
  if (image === undefined) return (i) => i;
  const [, channels, height, width] = image.shape as [number, number, number, number];
  const area = height * width;
  return (i) => (i % area) * channels + Math.floor(i / area);
}

function weightTensor(writer: TfliteWriter, conv: QuantConv, form: Form): number {
  const { weight } = conv;
  const { scales, zeroPoints, dtype, bits } = weight;
  const codes = rearranged(weight.data, weight.shape, form.place);
  const packed = dtype === 's8' && bits === 4;
  // Any other dimension than 0 is what keeps XNNPACK from taking uint8 weights (oddWeightAxis).
  const odd = conv.oddWeightAxis === true ? 3 : 0;
  return writer.constant(
    `${conv.output}/weights`,
    packed ? 's4' : dtype === 'u8' ? 'u8' : 's8',
    form.shape,
    packed ? inPairs(codes) : Uint8Array.from(codes),
    {
      scales,
      zeroPoints: Int32Array.from(scales, (_, o) => zeroPoints[o] ?? zeroPoints[0]!),
      axis: scales.length > 1 ? form.axis : odd,
    },
  );
}

function rearranged(
  data: QuantConv['weight']['data'],
  shape: readonly number[],
  place: Place,
): Int16Array {
  const [outputs, inputs, height, width] = shape as [number, number, number, number];
  const result = new Int16Array(data.length);
  let at = 0;
  for (let o = 0; o < outputs; ++o) {
    for (let i = 0; i < inputs; ++i) {
      for (let y = 0; y < height; ++y) {
        for (let x = 0; x < width; ++x) result[place(o, i, y, x)] = data[at++]!;
      }
    }
  }
  return result;
}

/** 4-bit codes, two to a byte, the first in the low half. */
function inPairs(codes: Int16Array): Uint8Array {
  return Uint8Array.from(
    { length: Math.ceil(codes.length / 2) },
    (_, i) => (codes[2 * i]! & 15) | (((codes[2 * i + 1] ?? 0) & 15) << 4),
  );
}

/**
 * The bias, at scale f32(input scale x weight scale); 64 bits wide over 16-bit codes. LiteRT's CONV_2D
 * refuses integer layers without one, so theirs is zero.
 */
function biasTensor(writer: TfliteWriter, conv: QuantConv, type: ActivationType): number[] {
  const { weight, fullyConnected } = conv;
  if (conv.bias === undefined && fullyConnected) return [];
  const bias = conv.bias ?? new Int32Array(weight.shape[0]!);
  const { scale } = writer.input(conv);
  const wide = type === 's16';
  const data = littleEndian(wide ? BigInt64Array.from(bias, BigInt) : bias);
  const index = writer.constant(`${conv.output}/bias`, wide ? 's64' : 's32', [bias.length], data, {
    scales: weight.scales.map((one) => scale * one),
    zeroPoints: new Int32Array(weight.scales.length),
    axis: 0,
  });
  return [index];
}

function optionsOf(
  { strides, dilations, weight }: QuantConv,
  { op }: Form,
  activation: number,
  padding: number,
  input: QuantValue,
): OperatorOptions {
  if (op === 'FULLY_CONNECTED') return { union: 8, fields: { 0: field.byte(activation) } };
  const common = {
    0: field.byte(padding),
    1: field.int(strides[1]),
    2: field.int(strides[0]),
  };
  const [height, width] = [field.int(dilations[0]), field.int(dilations[1])];
  if (op === 'CONV_2D') {
    const fields = { ...common, 3: field.byte(activation), 4: width, 5: height };
    return { union: 1, fields };
  }
  const multiplier = field.int(weight.shape[0]! / input.shape[1]!);
  const fields = { ...common, 3: multiplier, 4: field.byte(activation), 5: width, 6: height };
  return { union: 2, fields };
}

/**
 * The least version that has the layer's types (tools/versioning/op_version.cc of TensorFlow Lite;
 * 16-bit codes: the version that brought 16-bit kernels).
 */
function versionOf(conv: QuantConv, { op }: Form, type: ActivationType): number {
  const { weight, dilations, bias, group } = conv;
  const isPacked = weight.bits === 4;
  switch (op) {
    case 'CONV_2D':
      if (group > 1) return 6;
      return type === 'u8' ? 1 : isPacked ? 7 : type === 's16' ? 4 : 3;
    case 'DEPTHWISE_CONV_2D':
      if (type === 'u8') return dilations.some((step) => step !== 1) ? 2 : 1;
      // Officially 7 with 4-bit weights, but LiteRT's reference resolver, whose kernel has them, ends at 6.
      return isPacked ? 6 : type === 's16' ? 5 : 3;
    case 'FULLY_CONNECTED':
      if (isPacked) return type === 's16' ? 13 : 10;
      if (type === 's16') return 7;
      if (bias === undefined) return 6;
      return type === 'u8' ? 1 : 4;
  }
}
