// SPDX-License-Identifier: Apache-2.0
import type { QuantValue } from '../../graph/quant-graph.js';
import { resizingOfOperator } from '../resizing.js';
import { badShapes, requireSameCodes } from './plain.js';
import type { ReadOperator } from './state.js';

export const resize: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const output = input && state.output(operator);
  if (input === undefined || output === undefined) return;
  const isImage = input.shape.length === 4 && output.shape.length === 4;
  if (!isImage || input.shape[1] !== output.shape[1]) {
    badShapes(state, operator, input, output);
    return;
  }
  if (!requireSameCodes(state, operator, input, output)) return;
  const how = resizingOfOperator(operator, sizeOf(input), sizeOf(output));
  if (typeof how === 'string') {
    state.fail(operator, 'unsupported-op', `${how}; use RESIZE_BILINEAR`);
    return;
  }
  state.addOutput(operator, output, {
    op: 'Resize',
    name: state.claimLayer(output.name),
    inputs: [input.name],
    output: output.name,
    ...how,
  });
};

function sizeOf({ shape }: QuantValue): readonly [height: number, width: number] {
  return [shape[2]!, shape[3]!];
}
