// SPDX-License-Identifier: Apache-2.0
// Quantized TFLite as a quantized graph: NHWC becomes NCHW, fused activations become clamps in
// real units, and values keep the names of the file's tensors.
import { ModelError } from '../errors.js';
import { takeQuantGraph } from '../graph/cost.js';
import { Budget } from '../limits/budget.js';
import { parseFacts } from '../graph/file-facts.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { inferShapes } from './infer-shapes.js';
import { isFloatTflite } from './is-float.js';
import { operators } from './ops/index.js';
import { readShapeValue } from './ops/shape-values.js';
import { takeChannels } from './ops/selections.js';
import { TfliteState } from './ops/state.js';
import { type TfliteModel, readTflite } from './reader.js';
import { restoreFacts } from './restore-facts.js';
import { findShuffles } from './shuffles.js';

/**
 * Reads a .tflite file that is quantized to integers throughout: int8 with scales per channel,
 * the older uint8 with weight zero points, int4 weights, and 16-bit activations with 8-bit weights.
 * Files written by {@link writeTflite} come back as equal graphs.
 *
 * @param bytes the file
 * @param file what errors call it
 * @throws ModelError for a damaged file, or naming every operator that is unsupported or would run
 *   in float
 */
export function importTflite(bytes: Uint8Array, file = 'model', budget = new Budget()): QuantGraph {
  const graph = toQuantGraph(inferShapes(readTflite(bytes, file, budget)), file);
  takeQuantGraph(budget, graph);
  return graph;
}

function toQuantGraph(model: TfliteModel, file: string): QuantGraph {
  const [input] = model.inputs;
  if (input === undefined || model.inputs.length !== 1) {
    throw new ModelError(
      'unsupported-inputs',
      file,
      `expected one input, got ${model.inputs.length}`,
    );
  }
  if (model.outputs.length === 0) throw new ModelError('bad-output', file, 'it has no output');
  requireQuantized(model, file);
  requireSingleWriters(model);
  const state = new TfliteState(model);
  // A float input starts at its QUANTIZE.
  if (!state.isRealInput(input)) state.makeInput(input);
  const shuffles = findShuffles(model);
  for (const operator of model.operators) {
    if (shuffles.inner.has(operator) || readShapeValue(state, operator)) continue;
    const shuffle = shuffles.ends.get(operator);
    if (shuffle !== undefined) {
      takeChannels(state, operator, shuffle.input, shuffle.picked);
      continue;
    }
    const read = operators.get(operator.op);
    if (read === undefined) {
      state.fail(
        operator,
        'unsupported-op',
        `expected an operator that quantized networks may have, got ${operator.op}`,
      );
    } else if (state.hasFailed(operator)) state.giveUp(operator);
    else read(state, operator);
  }
  const outputs = model.outputs.map((index) => state.result(index));
  const facts = parseFacts(model.metadata);
  const graph = state.finish({
    name: model.name,
    input: state.input!,
    outputs,
    metadata: facts.metadata,
    origin: facts.origin ?? 'tflite',
  });
  return restoreFacts(graph, facts);
}

/** A tensor that is written twice, or an input that is, would be read as the wrong one. */
function requireSingleWriters({ tensors, operators: all, inputs }: TfliteModel): void {
  const makers = new Map(inputs.map((index) => [index, 'the model input']));
  for (const { op, outputs } of all) {
    for (const index of outputs) {
      const before = makers.get(index);
      if (before !== undefined) {
        throw new ModelError(
          'duplicate-value',
          `tensor "${tensors[index]!.name}"`,
          `expected one maker, got ${before} and operator ${op}; convert the model again`,
        );
      }
      makers.set(index, `operator ${op}`);
    }
  }
}

/** One clear word for float files, instead of a complaint about each operator. */
function requireQuantized(model: TfliteModel, file: string): void {
  if (!isFloatTflite(model)) return;
  throw new ModelError(
    'float-model',
    file,
    'expected a quantized .tflite, got one whose layers run in float; quantize it with `lastbit quantize`, or convert it with full integer quantization',
  );
}
