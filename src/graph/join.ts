// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../errors.js';
import type { QuantGraph, QuantNode, QuantValue } from './quant-graph.js';
import { sameQuantization } from './quant-types.js';

/**
 * Puts a head behind a backbone: the backbone's only output becomes the head's input. Names of the
 * head that the backbone uses, too, get the head's name in front.
 * @throws ModelError `cannot-join` where shape, type, scale or zero point of the two differ
 */
export function joinGraphs(backbone: QuantGraph, head: QuantGraph): QuantGraph {
  const seam = backbone.values.get(backbone.outputs[0]!)!;
  const entry = head.values.get(head.input)!;
  checkSeam(backbone, seam, entry);
  const rename = namer(backbone, head, seam.name);
  const values = new Map(backbone.values);
  for (const value of head.values.values()) {
    if (value.name !== head.input)
      values.set(rename(value.name), { ...value, name: rename(value.name) });
  }
  const taken = new Set(backbone.nodes.map(({ name }) => name));
  const nodes = head.nodes.map((node): QuantNode => ({
    ...node,
    name: taken.has(node.name) ? `${head.name}/${node.name}` : node.name,
    inputs: node.inputs.map(rename),
    output: rename(node.output),
  }));
  return {
    ...backbone,
    values,
    nodes: [...backbone.nodes, ...nodes],
    outputs: head.outputs.map(rename),
  };
}

function checkSeam(backbone: QuantGraph, seam: QuantValue, entry: QuantValue): void {
  const same = String(seam.shape) === String(entry.shape) && sameQuantization(seam, entry);
  if (same && backbone.outputs.length === 1) return;
  const form = ({ dtype, shape, scale, zeroPoint }: QuantValue): string =>
    `${dtype} [${shape.join(', ')}], scale ${scale}, zero point ${zeroPoint}`;
  throw new ModelError(
    'cannot-join',
    `"${seam.name}" and "${entry.name}"`,
    backbone.outputs.length === 1
      ? `the backbone gives ${form(seam)}; the head takes ${form(entry)}; they have to agree`
      : `the backbone has ${backbone.outputs.length} outputs; exactly one can be joined`,
  );
}

function namer(backbone: QuantGraph, head: QuantGraph, seam: string): (name: string) => string {
  return (name) => {
    if (name === head.input) return seam;
    return backbone.values.has(name) ? `${head.name}/${name}` : name;
  };
}
