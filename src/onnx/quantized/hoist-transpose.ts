// SPDX-License-Identifier: Apache-2.0
// Exports of channels-last networks normalize their input before the Transpose to NCHW. Here the
// Transpose moves to the front, so that everything behind it is NCHW. Exact: nothing is computed.
import type { OnnxModel, OnnxNode, OnnxTensor } from '../file/model.js';
import { intsOf } from './attributes.js';

/** Operators that work element by element, with constants that may vary along the last axis. */
const elementwise: ReadonlySet<string> = new Set([
  'Add',
  'Cast',
  'Clip',
  'DequantizeLinear',
  'Div',
  'Identity',
  'Max',
  'Min',
  'Mul',
  'QLinearAdd',
  'QLinearMul',
  'QuantizeLinear',
  'Relu',
  'Sub',
]);

/** The model with its first Transpose from NHWC at its input, or as it was. */
export function hoistTranspose(model: OnnxModel): OnnxModel {
  const { nodes, inputs, initializers } = model.graph;
  const [input] = inputs.filter(({ name }) => !initializers.has(name));
  if (input?.shape?.length !== 4) return model;
  const way = wayToTranspose(model, input.name);
  if (way === undefined || way.chain.length === 0) return model;
  const channels = input.shape[3];
  const moved = new Constants(model, typeof channels === 'number' ? channels : 0);
  const start = `${input.name}/nchw`;
  const chain = new Map<OnnxNode, OnnxNode>();
  let at = { from: input.name, to: start };
  for (const node of way.chain) {
    const renamed = moved.inputsOf(node, at);
    if (renamed === undefined) return model;
    chain.set(node, { ...node, inputs: renamed });
    at = { from: node.outputs[0]!, to: node.outputs[0]! };
  }
  const first = { ...way.transpose, inputs: [input.name], outputs: [start] };
  const rest = nodes
    .filter((node) => node !== way.transpose)
    .map((node) => ({
      ...(chain.get(node) ?? node),
      inputs: (chain.get(node) ?? node).inputs.map((name) =>
        name === way.transpose.outputs[0] ? at.to : name,
      ),
    }));
  return {
    ...model,
    graph: {
      ...model.graph,
      nodes: [first, ...moved.nodes, ...rest],
      initializers: new Map([...initializers, ...moved.initializers]),
    },
  };
}

interface Way {
  readonly chain: readonly OnnxNode[];
  readonly transpose: OnnxNode;
}

/** The nodes from the input to its Transpose, each the only reader of the one before. */
function wayToTranspose({ graph }: OnnxModel, input: string): Way | undefined {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const chain: OnnxNode[] = [];
  const seen = new Set<string>();
  for (let at = input; !seen.has(at) && !outputs.has(at);) {
    seen.add(at);
    const readers = graph.nodes.filter(({ inputs }) => inputs.includes(at));
    const [node] = readers;
    if (node === undefined || readers.length > 1) return undefined;
    if (node.op === 'Transpose') {
      return intsOf(node, 'perm')?.join() === '0,3,1,2' ? { chain, transpose: node } : undefined;
    }
    if (!elementwise.has(node.op) || node.outputs.length !== 1) return undefined;
    chain.push(node);
    at = node.outputs[0]!;
  }
  return undefined;
}

/** Constants of the chain that vary along the last axis, for an image whose channels come second. */
class Constants {
  readonly initializers = new Map<string, OnnxTensor>();
  readonly nodes: OnnxNode[] = [];

  constructor(
    private readonly model: OnnxModel,
    private readonly channels: number,
  ) {}

  /** The inputs of a node of the chain; undefined where one cannot be moved. */
  inputsOf(
    node: OnnxNode,
    at: { readonly from: string; readonly to: string },
  ): readonly string[] | undefined {
    const isPair = node.op === 'QuantizeLinear' || node.op === 'DequantizeLinear';
    const names = node.inputs.map((name) => {
      if (name === at.from) return at.to;
      return isPair || name === '' ? name : this.moved(name);
    });
    return names.every((name) => name !== undefined) ? names : undefined;
  }

  /** A name for the constant in the new layout: an initializer, a Constant, or one behind a pair. */
  private moved(name: string): string | undefined {
    const stored = this.model.graph.initializers.get(name);
    const wanted = `${name}/nchw`;
    if (stored !== undefined) {
      const tensor = this.inNchw(stored);
      if (tensor === undefined || tensor === stored) return tensor && name;
      this.initializers.set(wanted, { ...tensor, name: wanted });
      return wanted;
    }
    const maker = this.model.graph.nodes.find(({ outputs }) => outputs[0] === name);
    if (maker?.op === 'Constant') {
      const value = maker.attributes.get('value');
      // Lists and single numbers of a Constant are short; a list would be along the last axis.
      if (value?.type !== 'tensor') return maker.attributes.has('value_floats') ? undefined : name;
      const tensor = this.inNchw(value.value);
      if (tensor === undefined || tensor === value.value) return tensor && name;
      this.initializers.set(wanted, { ...tensor, name: wanted });
      return wanted;
    }
    if (maker?.op !== 'DequantizeLinear' && maker?.op !== 'QuantizeLinear') return undefined;
    const from = this.moved(maker.inputs[0]!);
    if (from === undefined || from === maker.inputs[0]) return from && name;
    const inputs = [from, ...maker.inputs.slice(1)];
    this.nodes.push({ ...maker, name: `${maker.name}/nchw`, inputs, outputs: [wanted] });
    return wanted;
  }

  private inNchw(tensor: OnnxTensor): OnnxTensor | undefined {
    const count = tensor.data.length;
    if (count === 1) return tensor;
    const alongLast = tensor.shape.at(-1) === count && count === this.channels;
    return alongLast ? { ...tensor, shape: [1, count, 1, 1] } : undefined;
  }
}
