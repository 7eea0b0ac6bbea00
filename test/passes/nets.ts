// SPDX-License-Identifier: Apache-2.0
// Graphs for the tests of single passes, imported from small ONNX models.
import type { Graph, Node, OpName } from '../../src/graph/graph.js';
import { importOnnx } from '../../src/onnx/float/import.js';
import { type ModelParts, model } from '../onnx/build.js';

export const graphOf = (parts: ModelParts): Graph => importOnnx(model(parts));

/** The operators in order, for a glance at what a pass left. */
export const ops = (graph: Graph): OpName[] => graph.nodes.map((each) => each.op);

export function find<T extends OpName>(graph: Graph, op: T): Extract<Node, { op: T }> {
  const found = graph.nodes.find((each) => each.op === op);
  if (found === undefined) throw new Error(`no ${op} in ${ops(graph).join()}`);
  return found as Extract<Node, { op: T }>;
}
