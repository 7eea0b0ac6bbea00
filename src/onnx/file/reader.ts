// SPDX-License-Identifier: Apache-2.0
// ONNX bytes -> OnnxModel: everything is copied out of the message into plain, checked data.
import { basename, dirname } from 'node:path';
import { ModelError } from '../../errors.js';
import { Budget } from '../../limits/budget.js';
import { readPlainFile } from '../../limits/read-file.js';
import { inOrder } from './in-order.js';
import { inlineFunctions } from './inline-functions.js';
import { standardQuant } from './qonnx.js';
import { requireSingleWriters } from './single-writers.js';
import { dtypeOf } from './dtypes.js';
import { readExternal } from './external-data.js';
import {
  type OnnxAttribute,
  type OnnxData,
  type OnnxDType,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
  arrayOf,
  sizeOf,
} from './model.js';
import {
  type AttributeMessage,
  type GraphMessage,
  type Int64,
  type ModelMessage,
  type TensorMessage,
  type ValueInfoMessage,
  decodeMessage,
} from './protobuf.js';
import { byteLength, decodeData } from './tensor-data.js';

export interface ReadOptions {
  /** The model's folder, for weights in files beside it; without it such models are refused. */
  readonly directory?: string;
  /** What errors call the model. */
  readonly file?: string;
  /** Pays for what is decoded; with the default limits unless given. */
  readonly budget?: Budget;
}

/** Where tensors find the rest of their bytes, and what pays for them. */
interface Source {
  readonly directory: string | undefined;
  readonly budget: Budget;
}

/** Larger tensors than this are no network's weights (elements). */
const maxElements = 2 ** 30;

/**
 * Reads an ONNX model from bytes.
 *
 * @throws ModelError `empty-file`, `truncated-model`, `not-onnx`, `no-graph`, `bad-tensor`,
 *   `external-data`, `duplicate-value`; LimitError `model-too-large`
 */
export function readOnnx(bytes: Uint8Array, options: ReadOptions = {}): OnnxModel {
  const file = options.file ?? 'model';
  const budget = options.budget ?? new Budget();
  const message = decodeMessage(bytes, file, budget);
  const graph = message.graph;
  if (graph === undefined || graph === null || (graph.node ?? []).length === 0) {
    throw new ModelError('no-graph', file, 'expected an ONNX model, got a file without a graph');
  }
  const model = readModel(message, graph, {
    directory: options.directory,
    budget,
  });
  requireSingleWriters(model.graph);
  const sorted = { ...model.graph, nodes: inOrder(model.graph.nodes) };
  return standardQuant({ ...model, graph: sorted });
}

/**
 * Reads an ONNX model from a file, with the weights that it keeps in files beside it.
 *
 * @throws ModelError `unreadable-file` and those of {@link readOnnx}
 */
export function readOnnxFile(path: string): OnnxModel {
  const budget = new Budget();
  const bytes = readPlainFile(
    path,
    budget,
    (reason) => new ModelError('unreadable-file', path, `expected an ONNX model, but ${reason}`),
  );
  return readOnnx(bytes, {
    directory: dirname(path),
    file: basename(path),
    budget,
  });
}

function readModel(message: ModelMessage, graph: GraphMessage, source: Source): OnnxModel {
  if ((graph.sparseInitializer ?? []).length > 0) {
    throw new ModelError('bad-tensor', 'sparse_initializer', 'sparse weights are not supported');
  }
  const initializers = (graph.initializer ?? []).map((tensor) => readTensor(tensor, source));
  return {
    irVersion: toNumber(message.irVersion),
    opsets: new Map(
      (message.opsetImport ?? []).map((opset) => [
        standardDomain(opset.domain),
        toNumber(opset.version),
      ]),
    ),
    producer: {
      name: message.producerName ?? '',
      version: message.producerVersion ?? '',
    },
    metadata: new Map(
      (message.metadataProps ?? []).map((entry) => [entry.key ?? '', entry.value ?? '']),
    ),
    graph: {
      name: graph.name ?? '',
      nodes: inlineFunctions(message, graph.node ?? [], source.budget).map((node): OnnxNode => {
        const name = node.name ?? '';
        const attributes = node.attribute ?? [];
        return {
          name,
          op: node.opType ?? '',
          domain: standardDomain(node.domain),
          inputs: node.input ?? [],
          outputs: node.output ?? [],
          attributes: new Map(attributes.map((a) => [a.name ?? '', readAttribute(a, source)])),
        };
      }),
      initializers: new Map(initializers.map((tensor) => [tensor.name, tensor])),
      inputs: (graph.input ?? []).map(readValueInfo),
      outputs: (graph.output ?? []).map(readValueInfo),
      valueInfo: (graph.valueInfo ?? []).map(readValueInfo),
    },
  };
}

function standardDomain(domain: string | null | undefined): string {
  return domain === 'ai.onnx' ? '' : (domain ?? '');
}

function toNumber(value: Int64 | null | undefined): number {
  return typeof value === 'object' && value !== null ? value.toNumber() : (value ?? 0);
}

function readValueInfo(info: ValueInfoMessage): OnnxValueInfo {
  const tensor = info.type?.tensorType;
  const dtype = dtypeOf(tensor?.elemType ?? 0);
  const dims = tensor?.shape?.dim;
  return {
    name: info.name ?? '',
    ...(dtype === undefined ? {} : { dtype }),
    // An absent list of dimensions within a present shape is a scalar.
    ...(tensor?.shape === undefined || tensor.shape === null
      ? {}
      : {
          shape: (dims ?? []).map((dim) => {
            // The decoder gives both members a default; only an own property was in the file.
            if (Object.hasOwn(dim, 'dimValue')) return toNumber(dim.dimValue);
            return Object.hasOwn(dim, 'dimParam') ? (dim.dimParam ?? undefined) : undefined;
          }),
        }),
  };
}

// AttributeProto.AttributeType of onnx.proto.
const attributeTypes = ['', 'f', 'i', 's', 't', 'g', 'floats', 'ints', 'strings'] as const;

/** Files older than IR version 2 leave `type` out: then the member that is there says it. */
function attributeKind(attribute: AttributeMessage): string {
  const stated = attributeTypes[attribute.type ?? 0];
  if (stated !== '') return stated ?? 'other';
  return attributeTypes.find((kind) => kind !== '' && Object.hasOwn(attribute, kind)) ?? 'ints';
}

function readAttribute(attribute: AttributeMessage, source: Source): OnnxAttribute {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
  switch (attributeKind(attribute)) {
    case 'f':
      return { type: 'float', value: attribute.f ?? 0 };
    case 'i':
      return { type: 'int', value: toNumber(attribute.i) };
    case 's':
      return { type: 'string', value: text(attribute.s ?? new Uint8Array()) };
    case 't':
      // An unsupported element type makes the node unsupported, not the file unreadable.
      if (dtypeOf(attribute.t?.dataType ?? 0) === undefined) {
        return {
          type: 'other',
          value: `tensor of ONNX type ${attribute.t?.dataType ?? 0}`,
        };
      }
      return { type: 'tensor', value: readTensor(attribute.t ?? {}, source) };
    case 'floats':
      return { type: 'floats', value: Array.from(attribute.floats ?? []) };
    case 'ints':
      return { type: 'ints', value: (attribute.ints ?? []).map(toNumber) };
    case 'strings':
      return { type: 'strings', value: (attribute.strings ?? []).map(text) };
    default:
      return { type: 'other', value: `attribute type ${attribute.type ?? 0}` };
  }
}

function readTensor(tensor: TensorMessage, source: Source): OnnxTensor {
  const name = tensor.name ?? '';
  const bad = (detail: string): never => {
    throw new ModelError('bad-tensor', `tensor "${name}"`, detail);
  };
  const dtype = dtypeOf(tensor.dataType ?? 0);
  if (dtype === undefined) {
    return bad(
      `elements of ONNX type ${tensor.dataType ?? 0} are not supported; export in float32`,
    );
  }
  const shape = (tensor.dims ?? []).map(toNumber);
  const count = sizeOf(shape);
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0) || count > maxElements) {
    return bad(
      `expected sizes of 0 or more, ${maxElements} elements at most, got [${shape.join()}]`,
    );
  }
  if (tensor.segment) return bad('tensors in segments are not supported');
  return {
    name,
    dtype,
    shape,
    data: readData(tensor, dtype, count, source, bad),
  };
}

function readData(
  tensor: TensorMessage,
  dtype: OnnxDType,
  count: number,
  { directory, budget }: Source,
  bad: (detail: string) => never,
): OnnxData {
  const expected = byteLength(dtype, count);
  if (tensor.dataLocation === 1 || (tensor.rawData ?? []).length > 0) {
    // Its elements, and its bytes beside them while they are decoded; ranges that overlap count each time.
    const bytes = expected + count * memoryOf(dtype);
    budget.takeMemory(bytes, `tensor "${tensor.name ?? ''}"`, 'its elements');
  }
  if (tensor.dataLocation === 1) {
    const entries = new Map((tensor.externalData ?? []).map((e) => [e.key ?? '', e.value ?? '']));
    const length = entries.get('length');
    const where = {
      location: entries.get('location') ?? '',
      offset: Number(entries.get('offset') ?? 0),
      ...(length === undefined ? {} : { length: Number(length) }),
    };
    return decodeData(dtype, count, readExternal(directory, tensor.name ?? '', where, expected));
  }
  const raw = tensor.rawData ?? new Uint8Array();
  if (raw.length > 0) {
    if (raw.length !== expected) {
      bad(`expected ${expected} bytes for its shape, got ${raw.length}`);
    }
    return decodeData(dtype, count, raw);
  }
  return readTypedData(tensor, dtype, count, bad);
}

/** The element fields other than raw_data: which one is used depends on the element type. */
function readTypedData(
  tensor: TensorMessage,
  dtype: OnnxDType,
  count: number,
  bad: (detail: string) => never,
): OnnxData {
  const checked = <T>(values: T[] | null | undefined, expected: number): T[] => {
    const found = values ?? [];
    if (found.length !== expected) bad(`expected ${expected} elements, got ${found.length}`);
    return found;
  };
  const from = (values: number[]) => {
    const data = new (arrayOf(dtype))(values.length);
    data.set(values);
    return data;
  };
  switch (dtype) {
    case 'f32':
      return from(checked(tensor.floatData, count));
    case 'f64':
      return from(checked(tensor.doubleData, count));
    case 's64':
      return from(checked(tensor.int64Data, count).map(toNumber));
    case 'u64':
    case 'u32':
      return from(checked(tensor.uint64Data, count).map(toNumber));
    case 'f16':
    case 'bf16':
      // Bit patterns, one in each integer.
      return decodeData(dtype, count, littleEndian(checked(tensor.int32Data, count), 2));
    case 's4':
    case 'u4':
      // Packed bytes, one in each integer.
      return decodeData(
        dtype,
        count,
        littleEndian(checked(tensor.int32Data, Math.ceil(count / 2)), 1),
      );
    case 's32':
    case 's16':
    case 's8':
    case 'u16':
    case 'u8':
    case 'bool':
      return from(checked(tensor.int32Data, count));
  }
}

function littleEndian(values: readonly number[], bytesEach: 1 | 2): Uint8Array {
  const packed = bytesEach === 1 ? Uint8Array.from(values) : Uint16Array.from(values);
  return new Uint8Array(packed.buffer);
}

/** Bytes of one element in memory. */
function memoryOf(dtype: OnnxDType): number {
  return new (arrayOf(dtype))(1).byteLength;
}
