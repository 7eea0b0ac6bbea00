// SPDX-License-Identifier: Apache-2.0
// Conv, Gemm and MatMul between DequantizeLinear and QuantizeLinear.
import type { QuantValue } from '../../../graph/quant-graph.js';
import type { OnnxNode } from '../../file/model.js';
import { floatOf, intOf } from '../attributes.js';
import type { ConvLayer } from '../known.js';
import type { ReadOperator, ImportState } from '../state.js';
import { pendConv, readBias, readWeight } from './conv-layer.js';
import { positions, readWindow } from './window.js';

export const conv: ReadOperator = (state, node) => {
  const name = state.layerName(node);
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const weight = readWeight(state, node, 1, name, { rank: 4, outputAxis: 0 });
  if (weight === undefined) return;
  const geometry = convGeometry(state, node, input, weight.shape);
  if (geometry === undefined) return;
  const bias = readBias(state, node, 2, input, weight);
  if (bias === null) return;
  const layer: ConvLayer = {
    name,
    inputs: [input.name],
    ...geometry.window,
    weight,
    bias,
    fullyConnected: state.facts.fullyConnected.has(name),
  };
  pendConv(state, node, layer, geometry.shape);
};

/** Window, group and output shape of a convolution, checked against each other. */
export function convGeometry(
  state: ImportState,
  node: OnnxNode,
  input: QuantValue,
  weight: readonly number[],
) {
  const [outputs, inputsPerGroup, height, width] = weight as [number, number, number, number];
  const window = readWindow(state, node, input.shape, [height, width]);
  if (window === undefined) return undefined;
  const group = intOf(node, 'group', 1);
  const size = positions(input.shape, window);
  const channels = input.shape[1]!;
  const fits =
    group >= 1 &&
    inputsPerGroup * group === channels &&
    outputs % group === 0 &&
    window.kernel[0] === height &&
    window.kernel[1] === width;
  if (!fits || size === undefined) {
    state.fail(
      node,
      'bad-shape',
      `weights [${weight.join(', ')}] with group ${group} do not fit input [${input.shape.join(', ')}]`,
    );
    return undefined;
  }
  return { window: { ...window, group }, shape: [1, outputs, ...size] };
}

export const gemm: ReadOperator = (state, node) => {
  const name = state.layerName(node);
  const scaled = floatOf(node, 'alpha', 1) !== 1 || floatOf(node, 'beta', 1) !== 1;
  if (scaled || intOf(node, 'transA', 0) !== 0) {
    state.fail(
      node,
      'unsupported-attribute',
      'expected alpha = beta = 1 and transA = 0; fold the factors into the weights',
    );
    return;
  }
  fullyConnected(state, node, name, intOf(node, 'transB', 0) === 0 ? 1 : 0, 2);
};

export const matMul: ReadOperator = (state, node) => {
  fullyConnected(state, node, state.layerName(node), 1, undefined);
};

function fullyConnected(
  state: ImportState,
  node: OnnxNode,
  name: string,
  outputAxis: 0 | 1,
  biasInput: number | undefined,
): void {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const weight = readWeight(state, node, 1, name, { rank: 2, outputAxis });
  if (weight === undefined) return;
  if (!acceptsRow(state, node, input, weight.shape[1]!)) return;
  const bias =
    biasInput === undefined ? undefined : readBias(state, node, biasInput, input, weight);
  if (bias === null) return;
  pendConv(state, node, rowLayer(name, input, weight, bias), [1, weight.shape[0]!]);
}

/** A fully connected layer over [1,K]. */
export function rowLayer(
  name: string,
  input: QuantValue,
  weight: ConvLayer['weight'],
  bias: Int32Array | undefined,
): ConvLayer {
  return {
    name,
    inputs: [input.name],
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: 1,
    weight,
    bias,
    fullyConnected: true,
  };
}

/** Whether `input` is one row of `length`; reported otherwise. */
export function acceptsRow(
  state: ImportState,
  node: OnnxNode,
  input: QuantValue,
  length: number,
): boolean {
  const { shape } = input;
  if (shape.length === 2 && shape[0] === 1 && shape[1] === length) return true;
  state.fail(
    node,
    'unsupported-shape',
    `expected input [1, ${length}], got [${shape.join(', ')}]; reshape it first`,
  );
  return false;
}
