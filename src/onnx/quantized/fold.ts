// SPDX-License-Identifier: Apache-2.0
// Computations on constants and shapes, which exporters leave in files: they are done here, so that
// what reads them finds a constant.
import type { Shape } from '../../graph/graph.js';
import { s64Tensor } from '../../graph/tensors.js';
import { type OnnxNode, type OnnxTensor, opsetOf } from '../file/model.js';
import { NodeContext, toTensor } from '../float/context.js';
import { evaluators } from '../float/ops/constants.js';
import { Unsupported } from '../float/problems.js';
import { intOf } from './attributes.js';
import type { Known } from './known.js';
import type { ImportState } from './state.js';

/** Computes a node whose inputs are constants, or whose result is a shape; false for any other. */
export function foldNode(state: ImportState, node: OnnxNode): boolean {
  const [output] = node.outputs;
  if (node.domain !== '' || output === undefined) return false;
  const tensor = node.op === 'Shape' ? shapeOf(state, node) : evaluate(state, node);
  if (tensor === undefined) return false;
  state.set(output, { kind: 'constant', tensor: { ...tensor, name: output } });
  return true;
}

/** Shape; since opset 15 of a range of axes. */
function shapeOf(state: ImportState, node: OnnxNode): Omit<OnnxTensor, 'name'> | undefined {
  const known = state.peek(node.inputs[0] ?? '');
  const shape = known && knownShape(state, known);
  if (shape === undefined) return undefined;
  return s64Tensor(shape.slice(intOf(node, 'start', 0), intOf(node, 'end', shape.length)));
}

function knownShape(state: ImportState, known: Known): Shape | undefined {
  switch (known.kind) {
    case 'constant':
      return known.tensor.shape;
    case 'constantCodes':
    case 'constantReal':
      return known.codes.shape;
    case 'input':
      return known.shape;
    case 'codes':
    case 'real':
    case 'scaled':
    case 'tail':
      return state.value(known.value).shape;
    case 'pending':
    case 'quotient':
      return known.pending.shape;
    case 'sums':
    case 'failed':
      return undefined;
  }
}

function evaluate(state: ImportState, node: OnnxNode): Omit<OnnxTensor, 'name'> | undefined {
  const compute = evaluators.get(node.op);
  const isConstant = (name: string, i: number) =>
    name === '' || state.constant(node, i) !== undefined;
  if (compute === undefined || node.inputs.length === 0 || !node.inputs.every(isConstant)) {
    return undefined;
  }
  const inputs = node.inputs.map((_, i) => {
    const tensor = state.constant(node, i);
    return tensor && toTensor(tensor);
  });
  const context = new NodeContext(node, opsetOf(state.model), {
    constants: new Map(),
    shapes: new Map(),
    nodeNames: new Set(),
    valueNames: new Set(),
  });
  try {
    return compute(inputs, context.attributes, context);
  } catch (error) {
    // What cannot be computed is left to the operator, which says what it needs.
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}
