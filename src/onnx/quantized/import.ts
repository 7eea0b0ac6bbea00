// SPDX-License-Identifier: Apache-2.0
// Quantized ONNX files, QDQ and QOperator, as one quantized graph. Nodes are read once, in order;
// what each value stands for is kept in ImportState. See NOTES.md.
import { ModelError } from '../../errors.js';
import type { QuantGraph } from '../../graph/quant-graph.js';
import { takeQuantGraph } from '../../graph/cost.js';
import { Budget } from '../../limits/budget.js';
import { parseFacts } from '../../graph/file-facts.js';
import {
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
  opsetOf,
} from '../file/model.js';
import { intOf } from './attributes.js';
import { widened } from './float-types.js';
import { foldNode } from './fold.js';
import { fuseShuffles } from './fuse-shuffles.js';
import { hoistTranspose } from './hoist-transpose.js';
import { normsNote } from './ops/batch-norm.js';
import { biasNote, floatWeights } from './ops/conv-layer.js';
import { integerOperators, operators } from './ops/index.js';
import { ImportState, wayOut } from './state.js';
import { gridOf } from './weight-grid.js';

/**
 * Whether a model is float, quantized with Q/DQ pairs around float operators, or made of integer
 * operators. One whose weights alone are stored as codes computes in float.
 */
export function quantizationState({ graph }: OnnxModel): 'float' | 'qdq' | 'qop' {
  const { nodes, initializers } = graph;
  if (nodes.some(({ op }) => integerOperators.has(op))) return 'qop';
  const constants = new Set(initializers.keys());
  for (const { op, inputs, outputs } of nodes) {
    const isConstant = inputs.every((name) => name === '' || constants.has(name));
    if (op === 'QuantizeLinear') return 'qdq';
    if (op === 'DequantizeLinear' && !isConstant) return 'qdq';
    if (isConstant) outputs.forEach((name) => constants.add(name));
  }
  return 'float';
}

/**
 * Reads a quantized network. Files written by {@link writeQdq} come back as equal graphs.
 *
 * @throws ModelError naming every operator that is unsupported, has no scale, or would run in
 *   float between integer layers; nothing is ever computed in float instead
 */
export function importQuantized(file: OnnxModel, budget = new Budget()): QuantGraph {
  const form = quantizationState(file);
  const model = fuseShuffles(hoistTranspose(file));
  if (form === 'float') {
    throw new ModelError(
      'float-model',
      `graph "${model.graph.name}"`,
      'expected a quantized model, got one without quantized layers; run `lastbit quantize` on it first',
    );
  }
  const state = new ImportState(model, parseFacts(model.metadata), budget);
  readInput(state);
  for (const node of model.graph.nodes) readNode(state, node);
  if (state.foldedNorms.length > 0) state.note(normsNote(state.foldedNorms));
  if (state.biasLosses.length > 0) state.note(biasNote(state.biasLosses));
  const outputs = state.problems.any
    ? []
    : model.graph.outputs.map((out) => readOutput(state, out));
  const graph = state.finish({
    name: model.graph.name,
    input: state.input,
    outputs,
    metadata: state.facts.metadata,
    origin: state.facts.origin ?? form,
  });
  takeQuantGraph(budget, graph);
  return graph;
}

function readInput(state: ImportState): void {
  const { inputs, initializers } = state.model.graph;
  const real = inputs.filter(({ name }) => !initializers.has(name));
  const [input] = real;
  if (input === undefined || real.length !== 1) {
    throw new ModelError(
      'unsupported-inputs',
      `inputs ${real.map(({ name }) => `"${name}"`).join(', ')}`,
      `expected one input, got ${real.length}`,
    );
  }
  state.input = input.name;
  // The input's reals are float32 for callers, whatever they are in the file.
  const dtype = input.dtype === 'f16' ? 'f32' : input.dtype;
  if (dtype !== 'f32' && dtype !== 'u8' && dtype !== 's8' && dtype !== 's16') {
    throw new ModelError(
      'unsupported-input',
      `input "${input.name}"`,
      `expected float32 or codes of type u8, s8 or s16, got ${dtype ?? 'no type'}`,
    );
  }
  state.set(input.name, { kind: 'input', shape: fixedShape(input), dtype });
}

/** The batch size may be symbolic and is 1; everything else has to be known. */
function fixedShape({ name, shape }: OnnxValueInfo): readonly number[] {
  const sizes = (shape ?? []).map((size, axis) =>
    axis === 0 && typeof size !== 'number' ? 1 : size,
  );
  if (sizes.length < 2 || sizes[0] !== 1 || !sizes.every((s) => typeof s === 'number' && s > 0)) {
    throw new ModelError(
      'unsupported-shape',
      `input "${name}"`,
      `expected a known shape with batch size 1, got [${(shape ?? []).map((s) => s ?? '?').join(', ')}]; export with fixed sizes`,
    );
  }
  return sizes as readonly number[];
}

function readNode(state: ImportState, node: OnnxNode): void {
  const isConstant = node.op === 'Constant' && node.domain === '';
  if (isConstant) {
    readConstant(state, node);
    return;
  }
  if (foldNode(state, node)) return;
  const read = operators.get(node.op);
  const isKnownDomain = node.domain === '' || node.domain === 'com.microsoft';
  if (read === undefined || !isKnownDomain) {
    state.fail(
      node,
      'unsupported-op',
      `expected an operator that quantized networks may have, got ${node.op} (opset ${opsetOf(state.model)}), which would run in float; ${wayOut}`,
    );
    return;
  }
  // What follows a failure is not reported again, but for weights of its own in float.
  if (node.inputs.some((name) => state.peek(name)?.kind === 'failed')) {
    if (!reportFloatWeights(state, node)) state.giveUp(node);
    return;
  }
  read(state, node);
}

/** Names a layer with float weights, behind one that could not be read. */
function reportFloatWeights(state: ImportState, node: OnnxNode): boolean {
  const weights = state.constant(node, 1);
  if (!['Conv', 'Gemm', 'MatMul'].includes(node.op) || weights?.dtype !== 'f32') return false;
  const isRows = node.op === 'MatMul' || (node.op === 'Gemm' && intOf(node, 'transB', 0) === 0);
  const axis = isRows ? 1 : 0;
  if (gridOf(weights.data as Float32Array, weights.shape, axis) !== undefined) return false;
  state.fail(node, 'float-layer', floatWeights(node.inputs[1]!));
  return true;
}

function readConstant(state: ImportState, node: OnnxNode): void {
  const output = node.outputs[0]!;
  const tensor = constantTensor(node, output);
  if (tensor === undefined) {
    state.fail(node, 'unsupported-constant', 'expected a tensor');
    return;
  }
  state.set(output, { kind: 'constant', tensor: widened(tensor) });
}

function constantTensor({ attributes }: OnnxNode, name: string): OnnxTensor | undefined {
  for (const [key, attribute] of attributes) {
    if (key === 'value' && attribute.type === 'tensor') return attribute.value;
    const list =
      attribute.type === 'float' || attribute.type === 'int'
        ? [attribute.value]
        : attribute.type === 'floats' || attribute.type === 'ints'
          ? attribute.value
          : undefined;
    if (list === undefined) continue;
    const isFloat = attribute.type.startsWith('float');
    return {
      name,
      dtype: isFloat ? 'f32' : 's64',
      shape: attribute.type.endsWith('s') ? [list.length] : [],
      data: isFloat ? Float32Array.from(list) : Float64Array.from(list),
    };
  }
  return undefined;
}

/** @returns the value that the network's output holds */
function readOutput(state: ImportState, { name }: OnnxValueInfo): string | undefined {
  const known = state.peek(name);
  if (known?.kind === 'codes' || known?.kind === 'real') return known.value;
  if (known?.kind === 'tail') return cutTail(state, known.node, known.value);
  if (known?.kind === 'pending') {
    const { pending } = known;
    if (pending.tailOf !== undefined) return cutTail(state, pending.name, pending.tailOf);
    const own = pending.inherits === undefined ? pending.wide : state.value(pending.inherits);
    if (own !== undefined && pending.clamp === undefined) {
      return state.quantize(endOf(name), name, pending, own, name)?.name;
    }
    state.problems.add(
      'float-layer',
      `node "${pending.name}"`,
      `its result is output "${name}" without a quantization; add QuantizeLinear/DequantizeLinear after it`,
    );
    return undefined;
  }
  state.missingOutput(name);
  return undefined;
}

function cutTail(state: ImportState, node: string, value: string): string {
  state.noteTail(`node "${node}"`, value);
  return value;
}

/** Stands for the network's end where an error has to name a reader. */
function endOf(name: string): OnnxNode {
  return {
    name: `output ${name}`,
    op: 'output',
    domain: '',
    inputs: [name],
    outputs: [],
    attributes: new Map(),
  };
}
