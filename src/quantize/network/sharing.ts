// SPDX-License-Identifier: Apache-2.0
import type { Graph, Node } from '../../graph/graph.js';

/**
 * Values that must have one quantization because the operator between them copies codes: windowed
 * pools, padding, reshapes, and concatenation (all inputs and the output).
 */
export function sharedQuantization(graph: Graph): ReadonlyMap<string, string> {
  const parent = new Map<string, string>();
  const find = (value: string): string => {
    const above = parent.get(value);
    if (above === undefined || above === value) return value;
    const root = find(above);
    parent.set(value, root);
    return root;
  };
  for (const name of graph.shapes.keys()) parent.set(name, name);
  for (const node of graph.nodes) {
    if (!copiesCodes(node)) continue;
    const [output] = node.outputs;
    const sources = node.op === 'Concat' ? node.inputs : node.inputs.slice(0, 1);
    for (const input of sources) parent.set(find(output!), find(input));
  }
  return new Map([...parent.keys()].map((value) => [value, find(value)]));
}

function copiesCodes(node: Node): boolean {
  switch (node.op) {
    case 'AveragePool':
    case 'MaxPool':
    case 'Pad':
    case 'Reshape':
    case 'Resize':
    case 'Transpose':
    case 'Concat':
      return true;
    case 'Conv':
    case 'BatchNorm':
    case 'Gemm':
    case 'MatMul':
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
    case 'Clamp':
    case 'GlobalAveragePool':
    case 'ReduceMean':
    case 'Softmax':
    case 'HardSigmoid':
    case 'HardSwish':
    case 'Sigmoid':
    case 'Gelu':
    case 'Identity': // a change of width alone (activation-width/widths.ts)
      return false;
    default:
      return node satisfies never;
  }
}

/** All values that have to have the same quantization as `value`. */
export function sharingWith(graph: Graph, value: string): string[] {
  const roots = sharedQuantization(graph);
  return [...roots.keys()].filter((name) => roots.get(name) === roots.get(value));
}
