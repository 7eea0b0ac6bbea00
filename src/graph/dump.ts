// SPDX-License-Identifier: Apache-2.0
import type { Clamp, Graph, Node } from './graph.js';

/**
 * The graph as text, one line a node: for reading, for issues and for comparing two graphs with a
 * diff tool. Constants show as name[shape]; weights themselves are not printed.
 */
export function dumpGraph(graph: Graph): string {
  const value = (name: string) => {
    const shape = graph.shapes.get(name) ?? graph.constants.get(name)?.shape;
    return name === '' ? '-' : `${name}[${shape?.join() ?? '?'}]`;
  };
  const lines = [
    ...graph.inputs.map((input) => `input ${value(input.name)} ${input.dtype}`),
    ...graph.nodes.map(
      (node) =>
        `${node.outputs.map(value).join(' ')} = ${node.op}(${node.inputs.map(value).join(' ')})` +
        `${attributes(node)}  # ${node.name}`,
    ),
    ...graph.outputs.map((output) => `output ${value(output.name)} ${output.dtype}`),
  ];
  return `${lines.join('\n')}\n`;
}

const shown = new Set(['op', 'name', 'inputs', 'outputs']);

function attributes(node: Node): string {
  const entries = Object.entries(node)
    .filter(([key]) => !shown.has(key))
    .map(([key, entry]) => `${key}=${key === 'clamp' ? clampText(entry as Clamp) : String(entry)}`);
  return entries.length === 0 ? '' : ` {${entries.join(' ')}}`;
}

function clampText({ lo, hi }: Clamp): string {
  const one = (side: Float32Array) =>
    side.length === 1 ? String(side[0]) : `${side.length} values`;
  return `[${one(lo)},${one(hi)}]`;
}
