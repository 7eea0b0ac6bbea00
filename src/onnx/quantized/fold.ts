// SPDX-License-Identifier: Apache-2.0
// Computations on constants and shapes, which exporters leave in files: they are done here, so that
// what reads them finds a constant.
import type { Shape } from '../../graph/graph.js';
import { elementCount, mapTensor, reshapeTensor, s64Tensor } from '../../graph/tensors.js';
import { codeArrays, codeLimits } from '../../numeric/code-types.js';
import { dtypeOf } from '../file/dtypes.js';
import { type OnnxNode, type OnnxTensor, opsetOf } from '../file/model.js';
import { type Evaluate, NodeContext, toTensor } from '../float/context.js';
import { evaluators } from '../float/ops/constants.js';
import { takeFolded } from '../float/folded-size.js';
import { Unsupported } from '../float/problems.js';
import { intOf, intsOf } from './attributes.js';
import { clippedCodes, movedCodes, scaledCodes } from './code-constants.js';
import { isFloatType } from './float-types.js';
import type { ConstantCodes, Known } from './known.js';
import { storageOf } from './parameters.js';
import type { ImportState } from './state.js';

/** Computes a node whose inputs are constants, or whose result is a shape; false for any other. */
export function foldNode(state: ImportState, node: OnnxNode): boolean {
  const [output] = node.outputs;
  if (node.domain !== '' || output === undefined) return false;
  const codes = foldCodes(state, node);
  if (codes !== undefined) {
    state.set(output, codes);
    return true;
  }
  const tensor = node.op === 'Shape' ? shapeOf(state, node) : evaluate(state, node);
  if (tensor === undefined) return false;
  state.set(output, { kind: 'constant', tensor: { ...tensor, name: output } });
  return true;
}

/** Operators that keep every element of a constant. */
const moves: ReadonlySet<string> = new Set([
  'Flatten',
  'Identity',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

/** What an operator makes of a quantized constant, where the result is one as well. */
function foldCodes(state: ImportState, node: OnnxNode): Known | undefined {
  if (node.op === 'Mul' || node.op === 'Div') return foldFactor(state, node);
  const known = state.peek(node.inputs[0] ?? '');
  if (known?.kind !== 'constantCodes' && known?.kind !== 'constantReal') return undefined;
  const { kind, codes } = known;
  if (moves.has(node.op)) {
    const { dtype, shape, data } = codes;
    const moved = evaluate(state, node, { name: '', dtype, shape, data });
    const perm =
      node.op === 'Transpose' ? (intsOf(node, 'perm') ?? [...shape.keys()].reverse()) : undefined;
    const result = moved && movedCodes(codes, moved, perm);
    return result && { kind, codes: result };
  }
  if (node.op === 'Clip' && kind === 'constantCodes') {
    const bounds = [1, 2].map((i) => (node.inputs[i] ? state.constant(node, i)?.data[0] : null));
    if (bounds.includes(undefined)) return undefined;
    const [lo, hi] = bounds;
    return { kind, codes: clippedCodes(codes, lo ?? -Infinity, hi ?? Infinity) };
  }
  // Between the kinds of float, which hold every value alike.
  if (node.op === 'Cast' && kind === 'constantReal') {
    return isFloatType(intOf(node, 'to', 0)) ? known : undefined;
  }
  if (node.op === 'Cast') return castCodes(codes, intOf(node, 'to', 0));
  return undefined;
}

/** Codes as another integer type, where it holds them all. */
function castCodes(codes: ConstantCodes, to: number): Known | undefined {
  const dtype = dtypeOf(to);
  const stored = dtype && storageOf(dtype);
  if (stored === undefined) return undefined;
  const [min, max] = codeLimits(stored.dtype, stored.bits);
  if (!codes.data.every((code) => code >= min && code <= max)) return undefined;
  const data = codeArrays[stored.dtype].from(codes.data);
  return { kind: 'constantCodes', codes: { ...codes, ...stored, data } };
}

/** A dequantized constant times or by a float constant: other scales. */
function foldFactor(state: ImportState, node: OnnxNode): Known | undefined {
  for (const index of node.op === 'Mul' ? [0, 1] : [0]) {
    const known = state.peek(node.inputs[index] ?? '');
    const factor = state.constant(node, 1 - index);
    if (known?.kind !== 'constantReal' || factor?.dtype !== 'f32') continue;
    const { codes } = known;
    const axis = factorAxis(factor.shape, codes);
    if (axis === undefined) return undefined;
    const { scales, zeroPoints } = codes;
    const channels = Math.max(scales.length, zeroPoints.length);
    const count = factor.data.length === 1 ? channels : factor.data.length;
    const factors = Float64Array.from({ length: count }, (_, c) => {
      const value = factor.data[factor.data.length === 1 ? 0 : c]!;
      return node.op === 'Mul' ? value : 1 / value;
    });
    if (!factors.every(Number.isFinite)) return undefined;
    return { kind: 'constantReal', codes: { ...scaledCodes(codes, axis, factors), axis } };
  }
  return undefined;
}

/** The axis along which scales and factors vary; undefined where there is no one. */
function factorAxis(factor: Shape, { shape, scales, zeroPoints, axis }: ConstantCodes) {
  const several = scales.length > 1 || zeroPoints.length > 1;
  if (factor.every((size) => size === 1)) return axis;
  const offset = shape.length - factor.length;
  const long = [...factor.keys()].filter((i) => factor[i] !== 1);
  const at = long[0]! + offset;
  if (offset < 0 || long.length !== 1 || shape[at] !== factor[long[0]!]) return undefined;
  return several && at !== axis ? undefined : at;
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

/**
 * The result of a node whose inputs are constants. Dequantized ones count with their float32 values,
 * unless the operator keeps codes.
 *
 * @param first stands for the first input
 */
function evaluate(
  state: ImportState,
  node: OnnxNode,
  first?: OnnxTensor,
): Omit<OnnxTensor, 'name'> | undefined {
  const compute = evaluators.get(node.op) ?? ownEvaluators.get(node.op);
  if (compute === undefined || node.inputs.length === 0) return undefined;
  const inputs = node.inputs.map((_, i) =>
    i === 0 && first !== undefined ? first : state.realConstant(node, i),
  );
  if (!node.inputs.every((name, i) => name === '' || inputs[i] !== undefined)) return undefined;
  const context = new NodeContext(node, opsetOf(state.model), {
    constants: new Map(),
    shapes: new Map(),
    nodeNames: new Set(),
    valueNames: new Set(),
  });
  try {
    const tensors = inputs.map((tensor) => tensor && toTensor(tensor));
    takeFolded(state.budget, node, tensors);
    const result = compute(tensors, context.attributes, context);
    // Moves keep types that a graph does not have, such as 4 bits.
    return moves.has(node.op) ? { ...result, dtype: inputs[0]!.dtype } : result;
  } catch (error) {
    // What cannot be computed is left to the operator, which says what it needs.
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}

/** Bounds are inputs since opset 11, attributes before. */
const clip: Evaluate = ([x, low, high], attributes) => {
  const lo = low?.data[0] ?? attributes.float('min', -Infinity);
  const hi = high?.data[0] ?? attributes.float('max', Infinity);
  return mapTensor(x!, (value) => Math.min(Math.max(value, lo), hi));
};

const flatten: Evaluate = ([x], attributes) => {
  const { shape } = x!;
  const stated = attributes.int('axis', 1);
  const axis = stated < 0 ? stated + shape.length : stated;
  return reshapeTensor(x!, [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))]);
};

/** What the float importer has no need to compute. */
const ownEvaluators: ReadonlyMap<string, Evaluate> = new Map([
  ['Clip', clip],
  ['Flatten', flatten],
]);
