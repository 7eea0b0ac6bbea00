// SPDX-License-Identifier: Apache-2.0
// From a quantized graph to a target's integer program. Here the target enters: it turns scales
// into multipliers. Recipes of the targets: src/targets/NOTES.md.
import type { QuantGraph, QuantMetadata, QuantNode } from '../graph/quant-graph.js';
import type { TargetSpec } from '../targets/target.js';
import { checkProgram } from './check.js';
import { checkConstraints } from './lower/constraints.js';
import { lowerConv } from './lower/conv.js';
import { lowerElementwise } from './lower/elementwise.js';
import { checkLimits, limitsNote } from './lower/limits.js';
import { lowerConcat, lowerPad, lowerReshape } from './lower/move.js';
import { lowerGlobalPool, lowerPool } from './lower/pool.js';
import { lowerResize } from './lower/resize.js';
import { lowerSoftmax } from './lower/softmax.js';
import { LoweringState, type LowerOptions } from './lower/state.js';
import { lowerUnary } from './lower/unary.js';
import { Refusal, Violations } from './lower/violations.js';
import { checkWide } from './lower/wide.js';
import type { Program } from './program.js';

/**
 * The integer program of a quantized graph under a target. Equal arguments give programs with
 * equal bytes.
 *
 * @throws ModelError `target-constraint` naming every node or value that the target cannot
 *   represent, with the constraint and the way out
 */
export function lower(graph: QuantGraph, target: TargetSpec, options?: LowerOptions): Program {
  const result = tryLower(graph, target, options);
  if ('ops' in result) return result;
  throw result.error(target.id);
}

/** The program as by {@link lower}, or all that the target cannot represent. */
export function tryLower(
  graph: QuantGraph,
  target: TargetSpec,
  options?: LowerOptions,
): Program | Violations {
  const violations = new Violations();
  checkConstraints(graph, target, violations);
  checkLimits(graph, target, violations);
  checkWide(graph, target, violations);
  if (violations.count > 0) return violations;
  const state = new LoweringState(graph, target, violations, options);
  const input = state.write(graph.input);
  for (const node of graph.nodes) {
    try {
      lowerNode(state, node);
    } catch (error) {
      // Recorded in `violations`, or the consequence of what is recorded there.
      if (!(error instanceof Refusal)) throw error;
    }
  }
  if (violations.count > 0) return violations;
  const program: Program = {
    target: target.id,
    metadata: facts(graph.metadata, state.omissions, limitsNote(graph, target)),
    tensors: state.tensors,
    input,
    inputQuantization: target.arithmetic.inputQuantization,
    outputs: graph.outputs.map((name) => state.outputTensor(name)),
    ops: state.ops,
  };
  checkProgram(program);
  return program;
}

function lowerNode(state: LoweringState, node: QuantNode): void {
  switch (node.op) {
    case 'Conv':
      lowerConv(state, node);
      break;
    case 'Add':
    case 'Mul':
      lowerElementwise(state, node);
      break;
    case 'AveragePool':
    case 'MaxPool':
      lowerPool(state, node);
      break;
    case 'GlobalAveragePool':
      lowerGlobalPool(state, node);
      break;
    case 'Concat':
      lowerConcat(state, node);
      break;
    case 'Pad':
      lowerPad(state, node);
      break;
    case 'Reshape':
      lowerReshape(state, node);
      break;
    case 'Resize':
      lowerResize(state, node);
      break;
    case 'Softmax':
      lowerSoftmax(state, node);
      break;
    case 'HardSwish':
    case 'HardSigmoid':
    case 'Sigmoid':
    case 'LeakyRelu':
    case 'Gelu':
    case 'Requantize':
      lowerUnary(state, node);
      break;
  }
}

function facts(
  { preprocess, calibration, version }: QuantMetadata,
  omissions: readonly string[],
  unfit: string | undefined,
): Record<string, string> {
  const omitted = omissions.length === 0 ? undefined : omissions.join('; ');
  const all = { preprocess, calibration, version, omitted, unfit };
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) =>
      value === undefined ? [] : [[`lastbit.${key}`, value]],
    ),
  );
}
