// SPDX-License-Identifier: Apache-2.0
// QONNX says a quantization by one node: Quant(x, scale, zero point, bits), with reals on both sides. Here
// each becomes the standard's QuantizeLinear, a Clip where its codes have fewer bits than a byte, and
// DequantizeLinear. Exact: QONNX defines it so (qonnx/custom_op/general/quant.py).
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from './model.js';

/** Names of one node's parts, and what they add to the graph. */
interface Expanded {
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
}

/** The model without Quant nodes, as far as they say what the standard can. */
export function standardQuant(model: OnnxModel): OnnxModel {
  const { graph } = model;
  if (!graph.nodes.some(isQuant)) return model;
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.flatMap((node) => {
    const expanded = isQuant(node) ? expand(node, graph) : undefined;
    for (const tensor of expanded?.tensors ?? []) initializers.set(tensor.name, tensor);
    return expanded?.nodes ?? [node];
  });
  return { ...model, graph: { ...graph, nodes, initializers } };
}

function isQuant({ op, domain }: OnnxNode): boolean {
  return op === 'Quant' && /qonnx|brevitas|finn/.test(domain);
}

function expand(node: OnnxNode, graph: OnnxGraph): Expanded | undefined {
  const [x, scale, zero, bits] = node.inputs.map((name) => constantOf(graph, name));
  const count = bits?.data[0];
  const rounding = node.attributes.get('rounding_mode');
  const isRound =
    rounding === undefined || (rounding.type === 'string' && /^round$/i.test(rounding.value));
  if (scale === undefined || zero === undefined || count === undefined || !isRound)
    return undefined;
  // Constants of more bits are biases, which float32 numbers say as well.
  if (x !== undefined && count > 16)
    return { nodes: [standard(node, 'Identity', [node.inputs[0]!])], tensors: [] };
  const signed = flag(node, 'signed', 1);
  const narrow = flag(node, 'narrow', 0);
  if (!Number.isInteger(count) || count < 2 || count > 8) return undefined;
  const axis = axisOf(scale);
  if (axis === undefined) return undefined;
  const dtype = signed ? 's8' : 'u8';
  const codes = (values: readonly number[]) => (signed ? Int8Array : Uint8Array).from(values);
  const base = node.name || node.outputs[0]!;
  const rank = axis === -1 ? [] : [scale.data.length];
  const zeros = Array.from(
    { length: scale.data.length },
    (_, i) => zero.data[zero.data.length === 1 ? 0 : i]!,
  );
  const parameters: OnnxTensor[] = [
    { name: `${base}/scale`, dtype: 'f32', shape: rank, data: Float32Array.from(scale.data) },
    { name: `${base}/zero_point`, dtype, shape: rank, data: codes(zeros) },
  ];
  const names = parameters.map(({ name }) => name);
  const attributes: ReadonlyMap<string, OnnxAttribute> =
    axis === -1 ? new Map() : new Map([['axis', { type: 'int', value: axis }]]);
  const [low, high] = signed
    ? [-(2 ** (count - 1)) + Number(narrow), 2 ** (count - 1) - 1]
    : [0, 2 ** count - 1 - Number(narrow)];
  const quantized = `${base}/codes`;
  const isWhole = count === 8 && !narrow;
  const bounded = isWhole ? quantized : `${base}/bounded`;
  const bounds: OnnxTensor[] = isWhole
    ? []
    : [
        { name: `${base}/least`, dtype, shape: [], data: codes([low]) },
        { name: `${base}/greatest`, dtype, shape: [], data: codes([high]) },
      ];
  const inputs = bounds.map(({ name }) => name);
  return {
    nodes: [
      {
        ...standard(node, 'QuantizeLinear', [node.inputs[0]!, ...names]),
        attributes,
        outputs: [quantized],
      },
      ...(isWhole
        ? []
        : [{ ...standard(node, 'Clip', [quantized, ...inputs]), outputs: [bounded] }]),
      { ...standard(node, 'DequantizeLinear', [bounded, ...names]), attributes },
    ],
    tensors: [...parameters, ...bounds],
  };
}

function standard(node: OnnxNode, op: string, inputs: readonly string[]): OnnxNode {
  const name = `${node.name || node.outputs[0]!}/${op}`;
  return { name, op, domain: '', inputs, outputs: node.outputs, attributes: new Map() };
}

function flag({ attributes }: OnnxNode, name: string, absent: number): boolean {
  const attribute = attributes.get(name);
  return (attribute?.type === 'int' ? attribute.value : absent) !== 0;
}

/** The one long axis of a scale; -1 for a single number, undefined for several axes. */
function axisOf({ shape, data }: OnnxTensor): number | undefined {
  if (data.length === 1) return -1;
  const long = [...shape.keys()].filter((axis) => shape[axis] !== 1);
  return long.length === 1 ? long[0] : undefined;
}

/** An initializer, or the tensor of a Constant. */
function constantOf({ initializers, nodes }: OnnxGraph, name: string): OnnxTensor | undefined {
  const stored = initializers.get(name);
  if (stored !== undefined) return stored;
  const maker = nodes.find(({ op, outputs }) => op === 'Constant' && outputs[0] === name);
  const value = maker?.attributes.get('value');
  return value?.type === 'tensor' ? value.value : undefined;
}
