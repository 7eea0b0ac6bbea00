// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../errors.js';
import type { QuantGraph, QuantNode, QuantValue } from './quant-graph.js';

/**
 * Joins two networks: what the backbone puts out is what the head reads.
 *
 * @throws ModelError unless shape, type, bits, scale and zero point of the two agree; nothing is
 *   requantized in between
 */
export function join(backbone: QuantGraph, head: QuantGraph): QuantGraph {
  const [output] = backbone.outputs;
  const from = output === undefined ? undefined : backbone.values.get(output);
  const to = head.values.get(head.input);
  if (from === undefined || to === undefined || backbone.outputs.length !== 1) {
    throw new ModelError(
      'cannot-join',
      `"${backbone.name}"`,
      `expected a backbone with one output, got ${backbone.outputs.length}`,
    );
  }
  const differences = compare(from, to);
  if (differences.length > 0) {
    throw new ModelError(
      'cannot-join',
      `output "${from.name}" and input "${to.name}"`,
      `expected the head to read what the backbone puts out, but ${differences.join(', ')}; take the two parts from one model`,
    );
  }
  const values = new Map(backbone.values);
  const names = renamed(head, values, from.name);
  for (const value of head.values.values()) {
    const name = names.get(value.name)!;
    if (value !== to) values.set(name, { ...value, name });
  }
  const layers = new Set(backbone.nodes.map((node) => node.name));
  const rename = (name: string) => names.get(name) ?? name;
  const nodes = head.nodes.map((node): QuantNode => ({
    ...node,
    name: claim(layers, node.name),
    inputs: node.inputs.map(rename),
    output: rename(node.output),
  }));
  const notes = [...(backbone.notes ?? []), ...(head.notes ?? [])];
  return {
    ...backbone,
    outputs: head.outputs.map(rename),
    values,
    nodes: [...backbone.nodes, ...nodes],
    ...(notes.length > 0 ? { notes } : {}),
  };
}

/** The head's value names, changed where the backbone has them already. */
function renamed(
  head: QuantGraph,
  taken: ReadonlyMap<string, QuantValue>,
  joint: string,
): ReadonlyMap<string, string> {
  const all = new Set(taken.keys());
  const names = new Map<string, string>();
  for (const name of head.values.keys()) {
    names.set(name, name === head.input ? joint : claim(all, name));
  }
  return names;
}

function claim(taken: Set<string>, wanted: string): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n++) name = `${wanted}#${n}`;
  taken.add(name);
  return name;
}

function compare(from: QuantValue, to: QuantValue): readonly string[] {
  const facts = (value: QuantValue) => ({
    shape: `[${value.shape.join(', ')}]`,
    type: `${value.dtype} of ${value.bits} bits`,
    scale: String(value.scale),
    'zero point': String(value.zeroPoint),
  });
  const given = facts(from);
  return Object.entries(facts(to))
    .filter(([key, wanted]) => given[key as keyof typeof given] !== wanted)
    .map(([key, wanted]) => `${key} ${given[key as keyof typeof given]} meets ${wanted}`);
}
