// SPDX-License-Identifier: Apache-2.0
// Channel shuffles: a reshape to [N,G,C/G,H,W], a transpose of the two axes between, a reshape back. They
// become a Gather of channels here, since quantized graphs have no values of five axes. Exact: nothing is
// computed. Pairs on the way keep their codes, so that they say nothing new.
import { shuffledChannels } from '../../graph/shuffles.js';
import type { OnnxModel, OnnxNode, OnnxTensor } from '../file/model.js';
import { intsOf } from './attributes.js';

/** The model with each shuffle as one Gather and its last reshape. */
export function fuseShuffles(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const links = linksOf(model);
  const replaced = new Map<OnnxNode, OnnxNode>();
  const dropped = new Set<OnnxNode>();
  const initializers = new Map(graph.initializers);
  for (const first of graph.nodes) {
    const found = first.op === 'Reshape' ? shuffleFrom(links, first) : undefined;
    if (found === undefined) continue;
    const indices = `${first.name || first.outputs[0]!}/channels`;
    initializers.set(indices, indexTensor(indices, found.picked));
    const inputs = [first.inputs[0]!, indices];
    const [output] = found.last.inputs;
    const attributes = new Map([['axis', { type: 'int', value: 1 } as const]]);
    replaced.set(first, { ...first, op: 'Gather', inputs, outputs: [output!], attributes });
    for (const node of found.between) dropped.add(node);
  }
  if (replaced.size === 0) return model;
  const nodes = graph.nodes
    .filter((node) => !dropped.has(node))
    .map((node) => replaced.get(node) ?? node);
  return { ...model, graph: { ...graph, nodes, initializers } };
}

interface Links {
  readonly model: OnnxModel;
  readonly readers: ReadonlyMap<string, readonly OnnxNode[]>;
  readonly makers: ReadonlyMap<string, OnnxNode>;
  readonly outputs: ReadonlySet<string>;
}

function linksOf(model: OnnxModel): Links {
  const readers = new Map<string, OnnxNode[]>();
  const makers = new Map<string, OnnxNode>();
  for (const node of model.graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
    for (const output of node.outputs) makers.set(output, node);
  }
  return { model, readers, makers, outputs: new Set(model.graph.outputs.map(({ name }) => name)) };
}

interface Shuffle {
  readonly picked: readonly number[];
  /** From behind the first reshape to before the last. */
  readonly between: readonly OnnxNode[];
  readonly last: OnnxNode;
}

function shuffleFrom(links: Links, first: OnnxNode): Shuffle | undefined {
  const groups = listOf(links, first.inputs[1]);
  if (groups?.length !== 5) return undefined;
  const before = behindPairs(links, first);
  if (before?.next.op !== 'Transpose') return undefined;
  const { next: transpose } = before;
  if (intsOf(transpose, 'perm')?.join() !== '0,2,1,3,4') return undefined;
  const after = behindPairs(links, transpose);
  if (after?.next.op !== 'Reshape') return undefined;
  const { next: last } = after;
  const shape = listOf(links, last.inputs[1]);
  const [rows, columns, height, width] = groups.slice(1) as [number, number, number, number];
  const fits =
    shape?.length === 4 &&
    rows > 0 &&
    columns > 0 &&
    (shape[1] === rows * columns || shape[1] === -1) &&
    [height, width].every((size, i) => size === shape[i + 2] || size === -1 || shape[i + 2] === -1);
  if (!fits) return undefined;
  const picked = shuffledChannels(rows, columns);
  return { picked, between: [...before.passed, transpose, ...after.passed], last };
}

/** The only reader of a node's result, behind Q/DQ pairs of one quantization. */
function behindPairs(
  links: Links,
  node: OnnxNode,
): { readonly next: OnnxNode; readonly passed: readonly OnnxNode[] } | undefined {
  const passed: OnnxNode[] = [];
  for (let at = node.outputs[0]!; ; at = passed.at(-1)!.outputs[0]!) {
    const readers = links.readers.get(at) ?? [];
    const [next] = readers;
    if (next === undefined || readers.length !== 1 || links.outputs.has(at)) return undefined;
    const isPair = next.op === 'QuantizeLinear' || next.op === 'DequantizeLinear';
    if (!isPair) return next.inputs[0] === at ? { next, passed } : undefined;
    if (!keepsCodes(links, node, next)) return undefined;
    passed.push(next);
  }
}

/** Whether a pair's node has the quantization of what the first node reads. */
function keepsCodes(links: Links, node: OnnxNode, pair: OnnxNode): boolean {
  const before = links.makers.get(node.inputs[0]!);
  if (before?.op !== 'QuantizeLinear' && before?.op !== 'DequantizeLinear') return false;
  return [1, 2].every((i) => {
    const [own, other] = [before, pair].map((one) => listOf(links, one.inputs[i]));
    return own?.join() === other?.join();
  });
}

/** The numbers of an initializer or Constant; undefined for anything else. */
function listOf({ model, makers }: Links, name = ''): readonly number[] | undefined {
  const stored = model.graph.initializers.get(name);
  if (stored !== undefined) return [...stored.data];
  const value = makers.get(name)?.op === 'Constant' ? makers.get(name)?.attributes : undefined;
  const tensor = value?.get('value');
  if (tensor?.type === 'tensor') return [...tensor.value.data];
  const ints = value?.get('value_ints');
  return ints?.type === 'ints' ? ints.value : undefined;
}

function indexTensor(name: string, picked: readonly number[]): OnnxTensor {
  return { name, dtype: 's64', shape: [picked.length], data: Float64Array.from(picked) };
}
