// SPDX-License-Identifier: Apache-2.0
// Float and float16 TFLite as a float graph, for quantization and as reference.
import { ModelError } from '../../errors.js';
import { rebuild } from '../../graph/edit.js';
import { takeGraph } from '../../graph/cost.js';
import type { Graph, ValueInfo } from '../../graph/graph.js';
import { Budget } from '../../limits/budget.js';
import { inferShapes } from '../infer-shapes.js';
import { readTflite, type TfliteModel } from '../reader.js';
import { FloatNet } from './net.js';
import { floatOperators } from './ops.js';

/**
 * Reads a float .tflite file. Weights may be float16 or codes behind DEQUANTIZE.
 *
 * @param bytes the file
 * @param file what errors call it
 * @returns the network in the file's own order of operators, with NHWC values between transposes
 * @throws ModelError for a damaged file, or naming every operator that is unsupported
 */
export function importFloatTflite(bytes: Uint8Array, file = 'model', budget = new Budget()): Graph {
  const model = inferShapes(readTflite(bytes, file, budget));
  const net = new FloatNet(model);
  const inputs = model.inputs.map((index) => valueInfo(model, index));
  for (const { name, shape } of inputs) net.shapes.set(name, shape);
  for (const operator of model.operators) {
    net.attempt(operator, () => {
      requireReals(model, operator.inputs, operator.op);
      const read = floatOperators.get(operator.op);
      if (read === undefined) {
        throw new ModelError(
          'unsupported-op',
          operator.op,
          'lastbit has no such operator for float networks',
        );
      }
      read(net, operator);
    });
  }
  net.problems.throwIfAny();
  const outputs = model.outputs.map((index): ValueInfo => {
    const name = net.outputValue(index);
    const shape = net.shapes.get(name);
    if (shape !== undefined) return { name, dtype: 'f32', shape };
    throw new ModelError('missing-output', `output "${name}"`, 'nothing makes it; convert again');
  });
  const { nodes, constants, shapes } = net;
  const empty = { normalizations: new Map(), metadata: new Map() };
  const parts = { name: model.name, inputs, outputs, nodes, constants, shapes, ...empty };
  const graph = rebuild(parts, {});
  takeGraph(budget, graph);
  return graph;
}

/** Codes that a layer reads directly: TFLite then quantizes its input as it runs. */
function requireReals({ tensors }: TfliteModel, inputs: readonly number[], op: string): void {
  if (!op.includes('CONV_2D') && op !== 'FULLY_CONNECTED') return;
  const weight = tensors[inputs[1] ?? -1];
  if (weight === undefined || weight.type === 'f32') return;
  throw new ModelError(
    'unsupported-op',
    op,
    `its weights are ${weight.type ?? 'of an unknown type'} beside float activations (dynamic range quantization); ` +
      'convert without optimizations, or with full integer quantization',
  );
}

function valueInfo({ tensors }: TfliteModel, index: number): ValueInfo {
  const { name, type, shape } = tensors[index]!;
  if (type !== 'f32') {
    throw new ModelError(
      'unsupported-input',
      `input "${name}"`,
      `expected float numbers, got ${type ?? 'another type'}`,
    );
  }
  return { name, dtype: 'f32', shape };
}
