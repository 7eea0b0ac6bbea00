// SPDX-License-Identifier: Apache-2.0
// A quantized graph as standard QDQ ONNX. importQuantized gives back an equal graph; NOTES.md says
// how each fact is encoded and why.
import { ModelError } from '../errors.js';
import type { Clamp } from '../graph/graph.js';
import type {
  QuantConv,
  QuantGraph,
  QuantNode,
  QuantUnary,
  QuantValue,
} from '../graph/quant-graph.js';
import { bitsOfType, codeLimits } from '../graph/quant-types.js';
import { encodeModel } from './encode.js';
import type { OnnxAttribute, OnnxModel, OnnxTensor } from './model.js';
import { QdqFile, attribute } from './qdq-file.js';
import { type FileFacts, formatFacts } from './quantized-metadata.js';

/** One float operator of a layer; its first input is the previous stage's output, if any. */
interface Stage {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  /** Further inputs after the previous stage's output. */
  readonly chained?: boolean;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** What both quantized forms of a file (QDQ here, QOperator in qop-write.ts) are written with. */
export interface Writer {
  readonly graph: QuantGraph;
  readonly file: QdqFile;
  /** The tensor of codes of each value written so far, with its scale and zero point. */
  readonly codes: Map<string, CodesTensor>;
  /** The dequantized tensor of each value that has one, by value name. */
  readonly real: Map<string, string>;
}

/** Names of a tensor of codes and of the initializers that give them meaning. */
export interface CodesTensor {
  readonly tensor: string;
  /** The scale and, but for 32-bit codes, the zero point. */
  readonly parameters: readonly string[];
}

/**
 * Writes standard ONNX with QuantizeLinear/DequantizeLinear pairs on every activation, integer
 * weights and biases behind DequantizeLinear, and clamps as Relu, Clip or Max/Min. Opset 13, or 14
 * for HardSwish, or 21 where 16-bit codes need it.
 *
 * @returns the bytes of an .onnx file whose input and outputs are float32
 * @throws ModelError where a value is missing or a layer cannot be expressed
 */
export function writeQdq(graph: QuantGraph): Uint8Array {
  return encodeModel(toQdqModel(graph));
}

/** The model that {@link writeQdq} encodes. */
export function toQdqModel(graph: QuantGraph): OnnxModel {
  return buildModel(graph, (writer, node) => {
    const value = writeFloatLayer(writer, node);
    dequantize(writer, value.name);
  });
}

/**
 * A model whose input is quantized and whose outputs are dequantized; `writeLayer` writes the rest.
 *
 * @param facts what `writeLayer` leaves to the metadata
 */
export function buildModel(
  graph: QuantGraph,
  writeLayer: (writer: Writer, node: QuantNode) => void,
  { clamps, singleZero }: Pick<FileFacts, 'clamps' | 'singleZero'> = {
    clamps: new Map(),
    singleZero: new Set(),
  },
): OnnxModel {
  const file = new QdqFile(
    graph.values.keys(),
    graph.nodes.map((node) => node.name),
  );
  const writer: Writer = { graph, file, codes: new Map(), real: new Map() };
  quantize(writer, valueOf(graph, graph.input), graph.input);
  for (const node of graph.nodes) writeLayer(writer, node);
  for (const name of graph.outputs) dequantize(writer, name);
  const opset = requiredOpset(graph);
  const initializers: ReadonlyMap<string, OnnxTensor> = file.initializers;
  return {
    irVersion: opset >= 21 ? 10 : 7,
    opsets: new Map([['', opset], ...file.domains]),
    producer: { name: 'lastbit', version: graph.metadata.version ?? '' },
    metadata: formatFacts({ ...factsOf(graph), clamps, singleZero }),
    graph: {
      name: graph.name,
      nodes: file.nodes,
      initializers,
      inputs: [floatInfo(valueOf(graph, graph.input))],
      outputs: graph.outputs.map((name) => floatInfo(valueOf(graph, name))),
      valueInfo: [],
    },
  };
}

function floatInfo({ name, shape }: QuantValue) {
  return { name, dtype: 'f32' as const, shape };
}

/** @throws ModelError `missing-value` */
export function valueOf(graph: QuantGraph, name: string): QuantValue {
  const value = graph.values.get(name);
  if (value === undefined) {
    throw new ModelError(
      'missing-value',
      `value "${name}"`,
      'the quantized graph does not hold it',
    );
  }
  return value;
}

function requiredOpset(graph: QuantGraph): number {
  const wide = [...graph.values.values()].some((value) => value.dtype === 's16');
  const wideWeights = graph.nodes.some((node) => node.op === 'Conv' && node.weight.dtype === 's16');
  if (wide || wideWeights) return 21;
  return graph.nodes.some(isStandardHardSwish) ? 14 : 13;
}

function isStandardHardSwish(node: QuantNode): boolean {
  return node.op === 'HardSwish' && node.alpha === undefined && node.beta === undefined;
}

function factsOf(graph: QuantGraph) {
  const convs = graph.nodes.filter((node) => node.op === 'Conv');
  return {
    metadata: graph.metadata,
    origin: graph.origin,
    activationBits: new Map(
      [...graph.values.values()].filter(isNarrow).map(({ name, bits }) => [name, bits]),
    ),
    weightBits: new Map(
      convs
        .filter(({ weight }) => weight.bits < bitsOfType[weight.dtype])
        .map(({ name, weight }) => [name, weight.bits]),
    ),
    fullyConnected: new Set(
      convs.filter((conv) => conv.fullyConnected && !isGemm(graph, conv)).map(({ name }) => name),
    ),
  };
}

export function isNarrow(value: QuantValue): boolean {
  return value.bits < bitsOfType[value.dtype];
}

export function isGemm(graph: QuantGraph, conv: QuantConv): boolean {
  return conv.fullyConnected && valueOf(graph, conv.inputs[0]!).shape.length === 2;
}

// --- activations -------------------------------------------------------------------------------

/** Emits the QuantizeLinear of `value`; `float` is the tensor that enters it. */
function quantize(writer: Writer, value: QuantValue, float: string): void {
  const { file } = writer;
  const { name, dtype } = value;
  const tensor = file.value(`${name}_QuantizeLinear_Output`);
  const parameters = parametersOf(writer, value);
  if (dtype === 's32') {
    roundToInt32(file, value, float, parameters[0]!, tensor);
  } else {
    file.node(
      'QuantizeLinear',
      file.layer(`${name}_QuantizeLinear`),
      [float, ...parameters],
      tensor,
    );
  }
  writer.codes.set(name, { tensor, parameters });
}

/** Writes scale and zero point of `value`; 32-bit codes have no zero point. */
export function parametersOf({ file }: Writer, value: QuantValue): readonly string[] {
  const { name, dtype, zeroPoint } = value;
  const scale = file.constant(`${name}_scale`, 'f32', [], Float32Array.of(value.scale));
  if (dtype === 's32') return [scale];
  return [scale, file.constant(`${name}_zero_point`, dtype, [], intArray(dtype, [zeroPoint]))];
}

/** Emits the DequantizeLinear of the value `name` unless it is there. */
export function dequantize({ graph, file, codes, real }: Writer, name: string): void {
  const known = codes.get(name);
  if (known === undefined || real.has(name)) return;
  const isOutput = graph.outputs.includes(name) && name !== graph.input;
  const dequantized = isOutput ? name : file.value(`${name}_DequantizeLinear_Output`);
  file.node(
    'DequantizeLinear',
    file.layer(`${name}_DequantizeLinear`),
    [known.tensor, ...known.parameters],
    dequantized,
  );
  real.set(name, dequantized);
}

/** QuantizeLinear has no int32 form, so its definition is spelled out: divide, round, cast. */
function roundToInt32(
  file: QdqFile,
  value: QuantValue,
  float: string,
  scale: string,
  codes: string,
): void {
  const { name, zeroPoint } = value;
  if (zeroPoint !== 0) {
    throw new ModelError(
      'unsupported-zero-point',
      `value "${name}"`,
      `32-bit codes need zero point 0 in ONNX, got ${zeroPoint}; quantize it to 16 bits or fewer`,
    );
  }
  const quotient = file.value(`${name}_quotient`);
  const rounded = file.value(`${name}_rounded`);
  file.node('Div', file.layer(`${name}_Div`), [float, scale], quotient);
  file.node('Round', file.layer(`${name}_Round`), [quotient], rounded);
  file.node('Cast', file.layer(`${name}_Cast`), [rounded], codes, { to: attribute.int(6) });
}

function intArray(dtype: 'u8' | 's8' | 's16', values: readonly number[]) {
  if (dtype === 'u8') return Uint8Array.from(values);
  return dtype === 's8' ? Int8Array.from(values) : Int16Array.from(values);
}

// --- layers ------------------------------------------------------------------------------------

/**
 * Writes a layer as float operators between DequantizeLinear and QuantizeLinear.
 *
 * @returns its output value
 */
export function writeFloatLayer(writer: Writer, node: QuantNode): QuantValue {
  const { graph, file } = writer;
  const value = valueOf(graph, node.output);
  const inputs = node.inputs.map((name) => realOf(writer, node, name));
  const body = bodyOf(writer, node, inputs, value);
  const clamp = 'clamp' in node ? node.clamp : undefined;
  const bounds = clamp === undefined ? [] : clampStages(file, node.name, clamp, value);
  const range = isNarrow(value) ? [rangeStage(file, value)] : [];
  const stages =
    node.op === 'Requantize'
      ? carryName(file, node, bounds, range)
      : [...body, ...bounds, ...range];
  const float = graph.outputs.includes(value.name)
    ? file.value(`${value.name}_QuantizeLinear_Input`)
    : value.name;
  emitChain(file, stages, inputs[0]!, float);
  quantize(writer, value, float);
  return value;
}

function realOf(writer: Writer, node: QuantNode, name: string): string {
  dequantize(writer, name);
  return writer.real.get(name) ?? missing(node, name);
}

/** @throws ModelError `missing-value` */
export function missing(node: QuantNode, name: string): never {
  throw new ModelError(
    'missing-value',
    `layer "${node.name}"`,
    `nothing before it makes "${name}"`,
  );
}

/**
 * A Requantize is its own Q/DQ pair, so the first operator before the pair has to carry its name:
 * the clamp, or else a Clip without bounds.
 */
function carryName(
  file: QdqFile,
  node: QuantUnary,
  bounds: readonly Stage[],
  range: readonly Stage[],
): Stage[] {
  const [first, ...rest] = bounds;
  const carrier: Stage = first ?? { op: 'Clip', name: node.name, inputs: [], chained: true };
  return [{ ...carrier, name: node.name }, ...rest, ...range];
}

function emitChain(file: QdqFile, stages: readonly Stage[], start: string, end: string): void {
  let current = start;
  stages.forEach((stage, i) => {
    const output = i === stages.length - 1 ? end : file.value(`${stage.name}_output`);
    const inputs = stage.chained === true ? [current, ...stage.inputs] : stage.inputs;
    file.node(stage.op, stage.name, inputs, output, stage.attributes ?? {});
    current = output;
  });
}

/** The operators of a layer without its clamp. */
function bodyOf(
  writer: Writer,
  node: QuantNode,
  inputs: readonly string[],
  value: QuantValue,
): readonly Stage[] {
  const { file } = writer;
  const { name } = node;
  const plain = (op: string, attributes: Readonly<Record<string, OnnxAttribute>> = {}): Stage[] => [
    { op, name, inputs, attributes },
  ];
  switch (node.op) {
    case 'Conv':
      return [convStage(writer, node, inputs)];
    case 'Add':
    case 'Mul':
    case 'Sigmoid':
    case 'GlobalAveragePool':
      return plain(node.op);
    case 'AveragePool':
      return plain(node.op, {
        ...windowAttributes(node),
        count_include_pad: attribute.int(node.countIncludePad ? 1 : 0),
      });
    case 'MaxPool':
      return plain(node.op, windowAttributes(node));
    case 'Concat':
      return plain(node.op, { axis: attribute.int(1) });
    case 'Pad': {
      const [top, left, bottom, right] = node.pads;
      const pads = Float64Array.of(0, 0, top, left, 0, 0, bottom, right);
      const constant = file.constant(`${name}_pads`, 's64', [8], pads);
      return [{ op: 'Pad', name, inputs: [...inputs, constant] }];
    }
    case 'Reshape': {
      const { shape } = value;
      const constant = file.constant(
        `${name}_shape`,
        's64',
        [shape.length],
        Float64Array.from(shape),
      );
      return [{ op: 'Reshape', name, inputs: [...inputs, constant] }];
    }
    case 'Softmax':
      return softmaxStages(file, name, node.beta, inputs);
    case 'HardSigmoid':
      return plain(node.op, rampAttributes(node));
    case 'HardSwish':
      return hardSwishStages(file, node, inputs);
    case 'Requantize':
      return [];
  }
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

function softmaxStages(
  file: QdqFile,
  name: string,
  beta: number,
  inputs: readonly string[],
): readonly Stage[] {
  const attributes = { axis: attribute.int(1) };
  if (beta === 1) return [{ op: 'Softmax', name, inputs, attributes }];
  const factor = file.constant(`${name}_beta`, 'f32', [], Float32Array.of(beta));
  return [
    { op: 'Mul', name: file.layer(`${name}_Mul`), inputs: [...inputs, factor] },
    { op: 'Softmax', name, inputs: [], chained: true, attributes },
  ];
}

function rampAttributes({ alpha, beta }: QuantUnary) {
  return {
    ...(alpha === undefined ? {} : { alpha: attribute.float(alpha) }),
    ...(beta === undefined ? {} : { beta: attribute.float(beta) }),
  };
}

/** ONNX's HardSwish has fixed constants; another ramp is a HardSigmoid times its own input. */
function hardSwishStages(
  file: QdqFile,
  node: QuantUnary,
  inputs: readonly string[],
): readonly Stage[] {
  const { name } = node;
  if (isStandardHardSwish(node)) return [{ op: 'HardSwish', name, inputs }];
  const gate = file.layer(`${name}_HardSigmoid`);
  return [
    { op: 'HardSigmoid', name: gate, inputs, attributes: rampAttributes(node) },
    { op: 'Mul', name, inputs: [inputs[0]!], chained: true },
  ];
}

function convStage(writer: Writer, conv: QuantConv, inputs: readonly string[]): Stage {
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
function writeWeight(file: QdqFile, conv: QuantConv, gemm: boolean): string {
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
  file: QdqFile,
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
  file: QdqFile,
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
  file: QdqFile,
  wanted: string,
  inputs: readonly string[],
  channels: number,
): string {
  const output = file.value(wanted);
  const axis = channels > 1 ? { axis: attribute.int(0) } : undefined;
  file.node('DequantizeLinear', file.layer(`${wanted}_DequantizeLinear`), inputs, output, axis);
  return output;
}

export function dims(channels: number): readonly number[] {
  return channels > 1 ? [channels] : [];
}

/** One entry for all channels -> one each. */
function spread<T extends Float32Array | Int32Array>(values: T, length: number): T {
  if (values.length === length) return values;
  const each = values instanceof Float32Array ? new Float32Array(length) : new Int32Array(length);
  return each.fill(values[0]!) as T;
}

// --- clamps ------------------------------------------------------------------------------------

function clampStages(
  file: QdqFile,
  layer: string,
  { lo, hi }: Clamp,
  value: QuantValue,
): readonly Stage[] {
  if (lo.length === 1 && hi.length === 1) return [scalarClamp(file, layer, lo[0]!, hi[0]!)];
  const spatial = value.shape.slice(2).map(() => 1);
  const bound = (op: 'Max' | 'Min', data: Float32Array): Stage => {
    const shape = data.length === 1 ? [] : [1, data.length, ...spatial];
    const constant = file.constant(`${layer}_${op === 'Max' ? 'lo' : 'hi'}`, 'f32', shape, data);
    return { op, name: file.layer(`${layer}_${op}`), inputs: [constant], chained: true };
  };
  return [bound('Max', lo), bound('Min', hi)];
}

/** Relu where it says the same, Clip otherwise; an open side is an absent input. */
function scalarClamp(file: QdqFile, layer: string, lo: number, hi: number): Stage {
  if (Object.is(lo, 0) && hi === Infinity) {
    return { op: 'Relu', name: file.layer(`${layer}_Relu`), inputs: [], chained: true };
  }
  const bounds = [
    lo === -Infinity ? '' : file.constant(`${layer}_lo`, 'f32', [], Float32Array.of(lo)),
    hi === Infinity ? '' : file.constant(`${layer}_hi`, 'f32', [], Float32Array.of(hi)),
  ];
  while (bounds.at(-1) === '') bounds.pop();
  return { op: 'Clip', name: file.layer(`${layer}_Clip`), inputs: bounds, chained: true };
}

/**
 * Codes of a narrow value saturate at its own limits, not at those of the storage type.
 * f32(code * scale) / scale rounds back to the code while codes stay below 2^22.
 */
function rangeStage(file: QdqFile, value: QuantValue): Stage {
  const { name, scale, zeroPoint } = value;
  const [lo, hi] = codeLimits(value.dtype, value.bits).map((code) => (code - zeroPoint) * scale);
  return {
    op: 'Clip',
    name: file.layer(`${name}_range`),
    inputs: [
      file.constant(`${name}_range_lo`, 'f32', [], Float32Array.of(lo!)),
      file.constant(`${name}_range_hi`, 'f32', [], Float32Array.of(hi!)),
    ],
    chained: true,
  };
}
