// SPDX-License-Identifier: Apache-2.0
// OnnxModel -> bytes, the inverse of reader.ts; weights always as raw_data.
import { ModelError } from '../../errors.js';
import { dataTypeOf } from './dtypes.js';
import type { OnnxAttribute, OnnxModel, OnnxTensor, OnnxValueInfo } from './model.js';
import {
  type AttributeMessage,
  type DimensionMessage,
  type TensorMessage,
  type ValueInfoMessage,
  encodeMessage,
} from './protobuf.js';
import { encodeData } from './tensor-data.js';

/**
 * Encodes a model. Reading the result gives an equal model, except that float16 tensors and
 * attributes of type `other` cannot be written.
 *
 * @throws ModelError `cannot-encode`
 */
export function encodeModel(model: OnnxModel): Uint8Array {
  const { graph } = model;
  return encodeMessage({
    irVersion: model.irVersion,
    opsetImport: [...model.opsets].map(([domain, version]) => ({ domain, version })),
    producerName: model.producer.name,
    producerVersion: model.producer.version,
    metadataProps: [...model.metadata].map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: graph.nodes.map((node) => ({
        name: node.name,
        opType: node.op,
        domain: node.domain,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: [...node.attributes].map(([name, value]) => attributeMessage(name, value)),
      })),
      initializer: [...graph.initializers.values()].map(tensorMessage),
      input: graph.inputs.map(valueInfoMessage),
      output: graph.outputs.map(valueInfoMessage),
      valueInfo: graph.valueInfo.map(valueInfoMessage),
    },
  });
}

function tensorMessage(tensor: OnnxTensor): TensorMessage {
  if (tensor.dtype === 'f16' || tensor.dtype === 'bf16') {
    const where = `tensor "${tensor.name}"`;
    throw new ModelError('cannot-encode', where, `${tensor.dtype} is read, not written`);
  }
  return {
    name: tensor.name,
    dims: [...tensor.shape],
    dataType: dataTypeOf(tensor.dtype),
    rawData: tensor.exact ? int64Bytes(tensor.exact) : encodeData(tensor.dtype, tensor.data),
  };
}

function int64Bytes(values: BigInt64Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, i) => {
    view.setBigInt64(8 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}

// The numbers are AttributeProto.AttributeType of onnx.proto.
function attributeMessage(name: string, attribute: OnnxAttribute): AttributeMessage {
  const text = (value: string) => new Uint8Array(Buffer.from(value, 'utf8'));
  switch (attribute.type) {
    case 'float':
      return { name, type: 1, f: attribute.value };
    case 'int':
      return { name, type: 2, i: attribute.value };
    case 'string':
      return { name, type: 3, s: text(attribute.value) };
    case 'tensor':
      return { name, type: 4, t: tensorMessage(attribute.value) };
    case 'floats':
      return { name, type: 6, floats: [...attribute.value] };
    case 'ints':
      return { name, type: 7, ints: [...attribute.value] };
    case 'strings':
      return { name, type: 8, strings: attribute.value.map(text) };
    case 'other':
      throw new ModelError('cannot-encode', `attribute "${name}"`, `it is of ${attribute.value}`);
  }
}

function valueInfoMessage(info: OnnxValueInfo): ValueInfoMessage {
  if (info.dtype === undefined) return { name: info.name };
  const dim = info.shape?.map((size): DimensionMessage => {
    if (typeof size === 'number') return { dimValue: size };
    return size === undefined ? {} : { dimParam: size };
  });
  const shape = dim === undefined ? {} : { shape: { dim } };
  return { name: info.name, type: { tensorType: { elemType: dataTypeOf(info.dtype), ...shape } } };
}
