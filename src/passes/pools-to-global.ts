// SPDX-License-Identifier: Apache-2.0
import { indexOf, namer, outputOf, substitute } from '../graph/edit.js';
import type { AveragePoolNode, GlobalAveragePoolNode, Node, Pair } from '../graph/graph.js';
import { elementCount } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Writes every mean over the whole image as GlobalAveragePool: ReduceMean over H and W, at once or one after
 * the other (with a reshape where it drops them), and an AveragePool whose window is the image. A mean over
 * rows or columns alone is an AveragePool as long as they are. Equal in real arithmetic; the order of
 * summation may differ.
 */
export const poolsToGlobal: Pass = (graph) => poolMeans(joinMeans(graph));

/** A mean of a mean is one over the axes of both. */
const joinMeans: Pass = (graph) => {
  const index = indexOf(graph);
  const changes = new Map<Node, Node>();
  for (const node of graph.nodes) {
    if (node.op !== 'ReduceMean') continue;
    const first = index.soleProducer(node.inputs[0]!);
    // Of three in a row, the first two.
    if (first?.op !== 'ReduceMean' || changes.has(first)) continue;
    const left = [...index.shape(first.inputs[0]!).keys()].filter(
      (axis) => first.keepDims || !first.axes.includes(axis),
    );
    if (first.keepDims !== node.keepDims) continue;
    const axes = [...new Set([...first.axes, ...node.axes.map((axis) => left[axis]!)])];
    changes.set(node, { ...node, inputs: first.inputs, axes: axes.sort((a, b) => a - b) });
  }
  return substitute(graph, changes);
};

const poolMeans: Pass = (graph) => {
  const index = indexOf(graph);
  const fresh = namer(graph);
  const changes = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    const x = node.inputs[0] ?? '';
    const pool = poolOf(node, x === '' ? [] : index.shape(x));
    if (pool === undefined) continue;
    const { name } = node;
    const output = outputOf(node);
    const shape = index.shape(output);
    if (shape.length === 4) {
      changes.set(node, [{ ...pool, name, inputs: [x], outputs: [output] }]);
      continue;
    }
    const pooled = fresh(`${output}_pooled`);
    changes.set(node, [
      { ...pool, name, inputs: [x], outputs: [pooled] },
      { op: 'Reshape', name: fresh(`${name}/shape`), inputs: [pooled], outputs: [output], shape },
    ]);
  }
  return substitute(graph, changes);
};

type Pool =
  Pick<GlobalAveragePoolNode, 'op'> | Omit<AveragePoolNode, 'name' | 'inputs' | 'outputs'>;

/** The pool that a node is; undefined where it is none, or one already. */
function poolOf(node: Node, x: readonly number[]): Pool | undefined {
  if (isGlobalMean(node, x)) return { op: 'GlobalAveragePool' };
  const [axis, ...others] = node.op === 'ReduceMean' ? node.axes : [];
  if (x.length !== 4 || (axis !== 2 && axis !== 3) || others.length > 0) return undefined;
  const kernel: Pair = axis === 2 ? [x[2]!, 1] : [1, x[3]!];
  const whole = { strides: [1, 1], pads: [0, 0, 0, 0], countIncludePad: false } as const;
  return { op: 'AveragePool', kernel, ...whole };
}

function isGlobalMean(node: Node, x: readonly number[]): boolean {
  if (x.length !== 4) return false;
  if (node.op === 'ReduceMean') {
    // The batch is 1: a mean that also runs over it is the same.
    const axes = node.axes.filter((axis) => x[axis] !== 1);
    const spatial = [2, 3].filter((axis) => x[axis] !== 1);
    return axes.join() === spatial.join() && !node.axes.includes(1);
  }
  if (node.op !== 'AveragePool') return false;
  const whole = node.kernel[0] === x[2] && node.kernel[1] === x[3];
  return whole && node.pads.every((pad) => pad === 0) && elementCount(x) > 0;
}
