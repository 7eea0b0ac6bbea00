// SPDX-License-Identifier: Apache-2.0
import { isScalarClamp, mergeClamps } from '../graph/clamps.js';
import { type GraphIndex, indexOf, outputOf, substitute } from '../graph/edit.js';
import type { Clamp, Graph, HardSigmoidNode, Node } from '../graph/graph.js';
import type { Pass } from './pass.js';

/**
 * Finds hard sigmoids and hard swishes that an exporter spelled out, in any of the usual forms:
 * clamp(x + b, 0, m) times or over a constant with product 1, and x times that, with the constant
 * inside or outside of the product. Equal in real arithmetic; float32 may round differently.
 */
export const recognizeHardSwish: Pass = (graph) =>
  joinSwish(joinSigmoid(joinInnerScale(joinOuterScale(graph))));

/** k * (x * clamp(x + b, 0, m)) with k m = 1 -> HardSwish. */
const joinOuterScale: Pass = (graph) => {
  const index = indexOf(graph);
  return replaceEach(graph, (node) => {
    const scaled = scaledBy(graph, node);
    if (scaled === undefined) return undefined;
    const product = index.soleProducer(scaled.value);
    if (product?.op !== 'Mul') return undefined;
    return eachOrder(product, (x, gate) => {
      const ramp = shiftedClamp(graph, index, gate);
      if (ramp?.value !== x || !isInverse(scaled.factor, ramp.top)) return undefined;
      return hard('HardSwish', node, x, scaled.factor, ramp.shift);
    });
  });
};

/** (k * x) * clamp(x + b, 0, m) with k m = 1 -> HardSwish. */
const joinInnerScale: Pass = (graph) => {
  const index = indexOf(graph);
  return replaceEach(graph, (node) => {
    if (node.op !== 'Mul') return undefined;
    return eachOrder(node, (product, gate) => {
      const maker = index.soleProducer(product);
      const scaled = maker && scaledBy(graph, maker);
      const ramp = scaled && shiftedClamp(graph, index, gate);
      if (scaled === undefined || ramp?.value !== scaled.value) return undefined;
      if (!isInverse(scaled.factor, ramp.top)) return undefined;
      return hard('HardSwish', node, scaled.value, scaled.factor, ramp.shift);
    });
  });
};

/** k * clamp(x + b, 0, m) with k m = 1 -> HardSigmoid. */
const joinSigmoid: Pass = (graph) => {
  const index = indexOf(graph);
  return replaceEach(graph, (node) => {
    const scaled = scaledBy(graph, node);
    const ramp = scaled && shiftedClamp(graph, index, scaled.value);
    if (scaled === undefined || ramp === undefined || !isInverse(scaled.factor, ramp.top)) {
      return undefined;
    }
    return hard('HardSigmoid', node, ramp.value, scaled.factor, ramp.shift);
  });
};

/** x * HardSigmoid(x) -> HardSwish. */
const joinSwish: Pass = (graph) => {
  const index = indexOf(graph);
  return replaceEach(graph, (node) => {
    if (node.op !== 'Mul') return undefined;
    return eachOrder(node, (x, gate) => {
      const sigmoid = index.soleProducer(gate);
      if (sigmoid?.op !== 'HardSigmoid' || sigmoid.inputs[0] !== x) return undefined;
      return { ...sigmoid, op: 'HardSwish', name: node.name, outputs: node.outputs };
    });
  });
};

function replaceEach(graph: Graph, find: (node: Node) => Node | undefined): Graph {
  const changes = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const found = find(node);
    if (found !== undefined) changes.set(node, found);
  }
  return substitute(graph, changes);
}

function eachOrder<T>(node: Node, f: (a: string, b: string) => T | undefined): T | undefined {
  const [a, b] = node.inputs;
  return f(a!, b!) ?? f(b!, a!);
}

function scalar(graph: Graph, name: string): number | undefined {
  const tensor = graph.constants.get(name);
  return tensor?.data.length === 1 ? tensor.data[0] : undefined;
}

/** A value times a constant: Mul by it, or Div by its inverse. */
function scaledBy(graph: Graph, node: Node): { value: string; factor: number } | undefined {
  if (node.op === 'Div') {
    const divisor = scalar(graph, node.inputs[1]!);
    return divisor === undefined ? undefined : { value: node.inputs[0]!, factor: 1 / divisor };
  }
  if (node.op !== 'Mul') return undefined;
  return eachOrder(node, (value, name) => {
    const factor = scalar(graph, name);
    return factor === undefined ? undefined : { value, factor };
  });
}

/** clamp(value + shift, 0, top), used once; the clamp may be several (Relu, then Min). */
function shiftedClamp(graph: Graph, index: GraphIndex, name: string) {
  let maker = index.soleProducer(name);
  let bounds: Clamp | undefined;
  while (maker?.op === 'Clamp') {
    bounds = bounds === undefined ? maker.clamp : mergeClamps(maker.clamp, bounds);
    maker = index.soleProducer(maker.inputs[0]!);
  }
  if (bounds === undefined || !isScalarClamp(bounds) || bounds.lo[0] !== 0) return undefined;
  const top = bounds.hi[0]!;
  const add = maker;
  if (add?.op !== 'Add' || !Number.isFinite(top)) return undefined;
  return eachOrder(add, (value, constant) => {
    const shift = scalar(graph, constant);
    return shift === undefined ? undefined : { value, shift, top };
  });
}

/** Constants come as float32: 1/6 is off by up to 2^-25 of its size. */
function isInverse(factor: number, top: number): boolean {
  return Math.abs(factor * top - 1) < 1e-6;
}

function hard(
  op: HardSigmoidNode['op'],
  node: Node,
  x: string,
  alpha: number,
  shift: number,
): HardSigmoidNode {
  const { name } = node;
  return { op, name, inputs: [x], outputs: [outputOf(node)], alpha, beta: alpha * shift };
}
