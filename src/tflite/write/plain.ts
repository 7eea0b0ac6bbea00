// SPDX-License-Identifier: Apache-2.0
// Everything but convolutions. The twin of ops/plain.ts.
import type {
  QuantConcat,
  QuantElementwise,
  QuantGlobalPool,
  QuantNode,
  QuantPad,
  QuantPool,
  QuantReshape,
  QuantResize,
  QuantSoftmax,
  QuantUnary,
  QuantValue,
} from '../../graph/quant-graph.js';
import { sameQuantization } from '../../graph/quant-types.js';
import { nearestPositions, type Resizing } from '../../graph/resizing.js';
import { codeLimits } from '../../numeric/code-types.js';
import { type ResizeFlags, resizingOf } from '../resizing.js';
import { activationOf, aloneActivations } from './activations.js';
import { field } from './flat-tables.js';
import type { Operator, TfliteWriter } from './state.js';
import { addPad, poolOptions, versionByType, windowOf } from './windows.js';

export function writeElementwise(writer: TfliteWriter, node: QuantElementwise): void {
  const type = writer.commonType(node);
  const activation = activationOf(writer, node);
  if (type === undefined || activation === undefined) return;
  const code = field.byte(activation.code);
  if (node.op === 'Add') {
    // The addition by shifts alone, which the default is for, is another arithmetic.
    const fields = { 0: code, 1: field.bool(false) };
    writer.add(node, { op: 'ADD', version: versionByType(type), options: { union: 11, fields } });
    return;
  }
  const [a, b, output] = [writer.input(node), writer.input(node, 1), writer.output(node)];
  const isLarge = (a.scale * b.scale) / output.scale >= 1;
  const version = type === 's16' ? 4 : isLarge ? 3 : versionByType(type);
  writer.add(node, { op: 'MUL', version, options: { union: 21, fields: { 0: code } } });
}

export function writePool(writer: TfliteWriter, node: QuantPool): void {
  const type = writer.commonType(node);
  if (type === undefined || !keepsCodes(writer, node)) return;
  const activation = activationOf(writer, node);
  const window = activation && windowOf(writer, node);
  if (activation === undefined || window === undefined) return;
  const op = node.op === 'AveragePool' ? 'AVERAGE_POOL_2D' : 'MAX_POOL_2D';
  const options = poolOptions(node, window.padding, activation.code);
  writer.add(node, { op, version: versionByType(type), options }, [window.input]);
}

/** MEAN over height and width; with the row that a `rowMean` is read as, where it is one. */
export function writeGlobalPool(writer: TfliteWriter, node: QuantGlobalPool): void {
  const type = writer.commonType(node);
  if (type === undefined) return;
  const row = node.rowMean === true ? rowOf(writer, node) : undefined;
  const output = row === undefined ? writer.output(node) : writer.output(row);
  const constants = [writer.integers(`${output.name}/axes`, [2], [1, 2])];
  const fields = { 0: field.bool(row === undefined) };
  const operator: Operator = {
    op: 'MEAN',
    version: versionByType(type),
    options: { union: 27, fields },
    constants,
  };
  if (row === undefined) {
    writer.add(node, operator);
    return;
  }
  writer.addOperator(operator, [writer.input(node)], output);
  writer.done.add(row);
}

/** The reshape to a row that is the only reader of a mean. */
function rowOf(writer: TfliteWriter, { output }: QuantGlobalPool): QuantReshape | undefined {
  const readers = writer.readers(output);
  const [reader] = readers;
  const isOnly = readers.length === 1 && !writer.graph.outputs.includes(output);
  if (!isOnly || reader?.op !== 'Reshape') return undefined;
  return writer.output(reader).shape.length === 2 ? reader : undefined;
}

export function writeConcat(writer: TfliteWriter, node: QuantConcat): void {
  const type = writer.commonType(node);
  if (type === undefined) return;
  const output = writer.output(node);
  const rescaled = node.inputs.filter((name) => !sameQuantization(writer.value(name), output));
  // CONCATENATION rescales uint8 codes alone.
  if (type !== 'u8' && rescaled.length > 0) {
    writer.fail(
      node,
      'conflicting-quantization',
      `TFLite joins ${type} codes of one scale and zero point only, and "${rescaled[0]!}" has another than "${output.name}"; write an .onnx file`,
    );
    return;
  }
  const fields = { 0: field.int(output.shape.length - 1), 1: field.byte(0) };
  const options = { union: 10, fields };
  writer.add(node, { op: 'CONCATENATION', version: versionByType(type), options });
}

export function writePad(writer: TfliteWriter, node: QuantPad): void {
  if (writer.commonType(node) === undefined || !keepsCodes(writer, node)) return;
  addPad(writer, writer.input(node), writer.output(node), node.pads);
  writer.layerNames.set(node.output, node.name);
}

/**
 * A reshape keeps the order of NCHW elements in the graph and of NHWC elements in the file. Flattening
 * an image is written all the same: the fully connected layers that read it have their weights in
 * the file's order.
 */
export function writeReshape(writer: TfliteWriter, node: QuantReshape): void {
  if (writer.commonType(node) === undefined || !keepsCodes(writer, node)) return;
  const [input, output] = [writer.input(node), writer.output(node)];
  const isSame = input.shape.join() === output.shape.join();
  const image = writer.flattened.get(input.name);
  if (image !== undefined || (!isSame && !(isRowLike(input) && isRowLike(output)))) {
    if (!isFlattened(writer, output)) {
      writer.fail(
        node,
        'unsupported-shape',
        `it leads from [${input.shape.join(', ')}] to [${output.shape.join(', ')}] in the order of NCHW elements, which the NHWC of .tflite files has for fully connected layers only; write an .onnx file`,
      );
      return;
    }
    writer.flattened.set(output.name, image ?? input);
  }
  const shape =
    output.shape.length === 4 ? [1, ...output.shape.slice(2), output.shape[1]!] : output.shape;
  const constants = [writer.integers(`${output.name}/shape`, [shape.length], shape)];
  const options = { union: 17, fields: { 0: field.ints(shape) } };
  writer.add(node, { op: 'RESHAPE', version: 1, options, constants });
}

/** Whether NCHW and NHWC order are the same. */
function isRowLike({ shape }: QuantValue): boolean {
  return shape.length === 2 || shape[1] === 1 || shape[2]! * shape[3]! < 2;
}

/** Whether a value is a row that only fully connected layers read. */
function isFlattened(writer: TfliteWriter, { name, shape }: QuantValue): boolean {
  return (
    shape.length === 2 &&
    !writer.graph.outputs.includes(name) &&
    writer.readers(name).every((reader) => reader.op === 'Conv' && reader.fullyConnected)
  );
}

export function writeResize(writer: TfliteWriter, node: QuantResize): void {
  const type = writer.commonType(node);
  if (type === undefined || !keepsCodes(writer, node)) return;
  const flags = flagsOf(writer, node);
  if (flags === undefined) {
    const how = [node.mode, node.coordinates, ...(node.mode === 'nearest' ? [node.nearest] : [])];
    const detail = `TFLite has no resize of this kind (${how.join(', ')}); write an .onnx file`;
    writer.fail(node, 'unsupported-op', detail);
    return;
  }
  const output = writer.output(node);
  const constants = [writer.integers(`${output.name}/size`, [2], [...node.size])];
  const [isAligned, isHalf] = [field.bool(flags.isAligned), field.bool(flags.isHalf)];
  if (node.mode === 'linear') {
    const options = { union: 15, fields: { 2: isAligned, 3: isHalf } };
    writer.add(node, { op: 'RESIZE_BILINEAR', version: 3, options, constants });
    return;
  }
  const options = { union: 74, fields: { 0: isAligned, 1: isHalf } };
  const version = type === 's16' ? 4 : 3;
  writer.add(node, { op: 'RESIZE_NEAREST_NEIGHBOR', version, options, constants });
}

/** The options with which TFLite reads the same rows and columns; undefined where none do. */
function flagsOf(writer: TfliteWriter, node: QuantResize): ResizeFlags | undefined {
  const [, , height, width] = writer.input(node).shape as [number, number, number, number];
  const from = [height, width] as const;
  const isAlike = (other: Resizing): boolean => {
    if (node.mode === 'linear') return coordinatesAlike(node, other);
    return from.every((side, axis) => {
      const [own, read] = [node, other].map((one) => nearestPositions(one, side, node.size[axis]!));
      return own!.every((position, at) => position === read![at]);
    });
  };
  const all: readonly ResizeFlags[] = [
    { isAligned: node.coordinates === 'alignCorners', isHalf: /halfPixel/i.test(node.coordinates) },
    { isAligned: false, isHalf: false },
    { isAligned: false, isHalf: true },
  ];
  return all.find((flags) => {
    const read = resizingOf(node.mode, flags, from, node.size);
    return typeof read !== 'string' && isAlike(read);
  });
}

/** PyTorch's half pixels differ for a single row or column alone. */
function coordinatesAlike(a: QuantResize, b: Resizing): boolean {
  if (a.coordinates === b.coordinates) return true;
  const isPlain = a.coordinates === 'pytorchHalfPixel' && a.size.every((side) => side > 1);
  return isPlain && b.coordinates === 'halfPixel';
}

export function writeSoftmax(writer: TfliteWriter, node: QuantSoftmax): void {
  const type = writer.commonType(node);
  if (type === undefined || !hasUnitOutput(writer, node)) return;
  const options = { union: 9, fields: { 0: field.float(node.beta) } };
  writer.add(node, { op: 'SOFTMAX', version: versionByType(type), options });
}

export function writeUnary(writer: TfliteWriter, node: QuantUnary): void {
  if (node.op === 'Requantize') {
    writeRequantize(writer, node);
    return;
  }
  const type = writer.commonType(node);
  if (type === undefined) return;
  const activation = activationOf(writer, node);
  if (activation === undefined) return;
  if (node.op === 'LeakyRelu' || node.op === 'Gelu') {
    writeCurve(writer, node, activation.code);
    return;
  }
  const hasSlope = node.alpha !== undefined && Math.fround(node.alpha) !== Math.fround(1 / 6);
  const hasOffset = node.beta !== undefined && node.beta !== 0.5;
  if (node.op === 'HardSigmoid' || hasSlope || hasOffset || activation.code !== 0) {
    writer.fail(
      node,
      'unsupported-op',
      `TFLite has no ${node.op} of its own${node.op === 'HardSigmoid' ? '' : ' with another slope or a clamp'}; write an .onnx file`,
    );
  } else if (node.op === 'HardSwish') {
    writer.add(node, { op: 'HARD_SWISH', version: 1, options: { union: 91, fields: {} } });
  } else if (hasUnitOutput(writer, node)) {
    writer.add(node, { op: 'LOGISTIC', version: versionByType(type) });
  }
}

/** LEAKY_RELU and GELU, which have no fused activation. */
function writeCurve(writer: TfliteWriter, node: QuantUnary, activation: number): void {
  if (activation !== 0) {
    const detail = `TFLite has no ${node.op} with a clamp; write an .onnx file`;
    writer.fail(node, 'unsupported-op', detail);
  } else if (node.op === 'Gelu') {
    const options = { union: 116, fields: { 0: field.bool(node.approximate ?? false) } };
    writer.add(node, { op: 'GELU', version: 2, options });
  } else {
    const options = { union: 75, fields: { 0: field.float(node.alpha ?? 0) } };
    writer.add(node, { op: 'LEAKY_RELU', version: 2, options });
  }
}

/** QUANTIZE, between any two types; or RELU and its kin, which rescale too. */
function writeRequantize(writer: TfliteWriter, node: QuantUnary): void {
  const [from, to] = [writer.input(node), writer.output(node)];
  if (node.clamp === undefined) {
    const version = to.dtype === 's16' ? 2 : 1;
    writer.add(node, { op: 'QUANTIZE', version, options: { union: 89, fields: {} } });
    return;
  }
  const activation = writer.commonType(node) && activationOf(writer, node, aloneActivations);
  if (activation === undefined) return;
  const { op } = activation;
  const version = op === 'RELU' || op === 'RELU6' ? (from.dtype === 's16' ? 3 : 2) : 1;
  writer.add(node, { op, version });
}

/** What SOFTMAX and LOGISTIC write: 1/256 from the least code on, 1/32768 in 16 bits. */
function hasUnitOutput(writer: TfliteWriter, node: QuantNode): boolean {
  const { dtype, scale, zeroPoint } = writer.output(node);
  const wanted = dtype === 's16' ? [1 / 32768, 0] : [1 / 256, codeLimits(dtype)[0]];
  if (scale === wanted[0] && zeroPoint === wanted[1]) return true;
  writer.fail(
    node,
    'unsupported-scale',
    `TFLite's ${node.op} writes scale ${wanted[0]} and zero point ${wanted[1]} only, not ${scale} and ${zeroPoint}; write an .onnx file`,
  );
  return false;
}

/** TFLite's pools and moves never rescale. */
function keepsCodes(writer: TfliteWriter, node: QuantNode): boolean {
  const [input, output] = [writer.input(node), writer.output(node)];
  if (sameQuantization(input, output)) return true;
  writer.fail(
    node,
    'conflicting-quantization',
    `TFLite's ${node.op} has one scale and zero point on both sides, got ${input.scale}, ${input.zeroPoint} and ${output.scale}, ${output.zeroPoint}; write an .onnx file`,
  );
  return false;
}
