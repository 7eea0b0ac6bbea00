// SPDX-License-Identifier: Apache-2.0
import type { Window } from '../../graph/graph.js';
import type { QuantGlobalPool, QuantPool, QuantValue } from '../../graph/quant-graph.js';
import { sameQuantization } from '../../graph/quant-types.js';
import type { MeanForm } from '../../targets/target.js';
import { codeClamp } from './clamp.js';
import { keepsScale, meanForm } from './mean.js';
import { imageOf, type LoweringState } from './state.js';
import { converted, convertTensor } from './unary.js';
import { channelRuns, writeInVectors } from './vectors.js';

/** Average and max pools with a window. */
export function lowerPool(state: LoweringState, node: QuantPool): void {
  const { kernel, strides, pads } = node;
  const value = state.value(node.output);
  if (node.op === 'MaxPool') {
    const inputs = [converted(state, node, node.inputs[0]!, value)];
    const clamp = codeClamp(state, node, node.clamp, value, true);
    const output = state.write(node.output);
    state.ops.push({
      op: 'maxPool',
      name: node.name,
      inputs,
      output,
      kernel,
      strides,
      pads,
      clamp,
    });
    return;
  }
  average(state, node, node, averageForm(state, node, state.value(node.inputs[0]!), value));
}

/** Mean over height and width. */
export function lowerGlobalPool(state: LoweringState, node: QuantGlobalPool): void {
  const input = state.value(node.inputs[0]!);
  const { height, width } = imageOf(input)!;
  const window: Window = { kernel: [height, width], strides: [1, 1], pads: [0, 0, 0, 0] };
  const mean = globalMean(state, input);
  const row = mean.kind === 'rawMean' && node.rowMean ? mean.row : undefined;
  average(state, node, window, row === undefined ? mean : { kind: 'mean', rule: row });
}

function globalMean({ target }: LoweringState, { dtype }: QuantValue): MeanForm {
  const { globalPool, s16 } = target.arithmetic;
  return dtype === 's16' ? (s16?.globalPool ?? globalPool) : globalPool;
}

/** A mean that keeps the scale, where the graph changes it, is followed by a table that does so. */
function average(
  state: LoweringState,
  node: QuantPool | QuantGlobalPool,
  { kernel, strides, pads }: Window,
  mean: MeanForm,
): void {
  const inputs = [state.read(node, node.inputs[0]!)];
  const input = state.value(node.inputs[0]!);
  const value = state.value(node.output);
  const moved = keepsScale(mean) && !sameQuantization(input, value);
  // Sums of unsigned codes are never negative, where the two rules differ.
  const raw = mean.kind === 'rawMean' && input.dtype === 's8' ? mean : undefined;
  if (raw?.rest !== undefined) {
    const { vector, rule } = raw.rest;
    const clamp = codeClamp(state, node, 'clamp' in node ? node.clamp : undefined, value, true);
    const pool = { op: 'averagePool', inputs, kernel, strides, pads, clamp } as const;
    writeInVectors(state, node, channelRuns(value, vector), (whole, name, output) => {
      const form = meanForm(state, node, whole ? raw : { ...raw, rule }, input, value, kernel);
      return { ...pool, name, output, form };
    });
    return;
  }
  const pooled = moved ? { ...input, shape: value.shape } : value;
  const form = meanForm(state, node, mean, input, pooled, kernel);
  const given = 'clamp' in node ? node.clamp : undefined;
  const clamp = codeClamp(state, node, given, pooled, true);
  const name = moved ? `${node.name}/mean` : node.name;
  const output = moved ? state.append(pooled, name) : state.write(node.output);
  state.ops.push({
    op: 'averagePool',
    name,
    inputs,
    output,
    kernel,
    strides,
    pads,
    form,
    clamp,
  });
  if (moved) convertTensor(state, node, output, pooled, value);
}

/** The mean that fits a windowed pool. */
function averageForm(
  state: LoweringState,
  node: QuantPool,
  input: QuantValue,
  value: QuantValue,
): MeanForm {
  const { averagePool } = state.target.arithmetic;
  const globalPool = globalMean(state, input);
  const { kernel, pads, countIncludePad } = node;
  const padded = pads.some((p) => p > 0);
  const { height, width } = imageOf(input)!;
  const coversImage = !padded && kernel[0] === height && kernel[1] === width;
  const divides = averagePool?.kind === 'divide' || averagePool?.kind === 'f32Window';
  const needsEqual = averagePool?.kind === 'divide' && !sameQuantization(input, value);
  if (divides && !needsEqual) {
    if (padded && countIncludePad) {
      state.refuse(
        node,
        'counts padding in its mean, which the target does not; exclude the padding',
      );
    }
    const { wholeImage } = averagePool.kind === 'f32Window' ? averagePool : {};
    return coversImage && wholeImage !== undefined ? globalPool : averagePool;
  }
  if (padded && !countIncludePad) {
    state.refuse(
      node,
      'averages windows of different size, which the target cannot; count the padding',
    );
  }
  const form = needsEqual || (averagePool === undefined && coversImage) ? globalPool : averagePool;
  if (form === undefined) {
    return state.refuse(
      node,
      'is a windowed average, which the target has no integer form for; take another target',
    );
  }
  return form;
}
