// SPDX-License-Identifier: Apache-2.0
import type { QuantConv, QuantValue, QuantWeight } from '../../graph/quant-graph.js';
import type { RecipeKind } from '../../targets/target.js';
import type { Accumulator, ConvOp, Requant } from '../program.js';
import { codeClamp } from './clamp.js';
import { requantOf, scaleProduct } from './multipliers.js';
import { recipeOf } from './recipe.js';
import { imageOf, type LoweringState } from './state.js';

/** A convolution or fully connected layer; a flattened input becomes a kernel as large as it. */
export function lowerConv(state: LoweringState, node: QuantConv): void {
  const name = node.inputs[0]!;
  const image = state.flattened.get(name);
  const input = state.value(image?.name ?? name);
  const inputs = [state.read(node, input.name)];
  const value = state.value(node.output);
  const { weight, bias } = node;
  const output = state.write(node.output);
  const channels = weight.shape[0]!;
  const { height, width } = imageOf(input)!;
  const kernel = image === undefined ? node.kernel : ([height, width] as const);
  state.ops.push({
    op: 'conv',
    name: node.name,
    inputs,
    output,
    kernel,
    strides: node.strides,
    dilations: node.dilations,
    pads: node.pads,
    groups: node.group,
    weightType: weight.dtype,
    weights: channelsLast(weight, kernel[0] * kernel[1]),
    weightZeroPoints: collapse(weight.zeroPoints),
    bias: fitBias(state, node, bias ?? new Int32Array(channels)),
    accumulator: accumulator(state, node, input),
    requant: convRequant(state, node, input, value),
    clamp: codeClamp(state, node, node.clamp, value, true),
  });
}

/** [O, I, KH, KW] to [O, KH, KW, I]. */
function channelsLast({ shape, data }: QuantWeight, positions: number): ConvOp['weights'] {
  const outputs = shape[0]!;
  const perOutput = data.length / outputs;
  const inputs = perOutput / positions;
  const result = data.slice();
  for (let o = 0; o < outputs; ++o) {
    for (let position = 0; position < positions; ++position) {
      for (let i = 0; i < inputs; ++i) {
        result[o * perOutput + position * inputs + i] =
          data[o * perOutput + i * positions + position]!;
      }
    }
  }
  return result;
}

function collapse(zeroPoints: Int32Array): Int32Array {
  return zeroPoints.every((z) => z === zeroPoints[0]) ? zeroPoints.slice(0, 1) : zeroPoints;
}

/** A bias within the target's width, where that is not 32 bits. */
function fitBias(state: LoweringState, node: QuantConv, bias: Int32Array): Int32Array {
  const width = state.target.arithmetic.bias;
  if (width === undefined) return bias;
  const greatest = 2 ** (width.bits - 1) - 1;
  const fitted = bias.map((b) => Math.min(Math.max(b, -greatest - 1), greatest));
  const channel = fitted.findIndex((b, c) => b !== bias[c]);
  if (channel < 0 || width.overflow === 'saturate') return fitted;
  return state.refuse(
    node,
    `channel ${channel}: the bias ${bias[channel]!} does not fit ${width.bits} bits; choose larger scales, or set "bias.overflow" to saturate`,
  );
}

/** Pairs saturate where u8 codes meet s8 weights, except in depthwise convolutions. */
function accumulator({ target }: LoweringState, node: QuantConv, input: QuantValue): Accumulator {
  const { accumulator: rule } = target.arithmetic;
  const pairs = input.dtype === 'u8' && node.weight.dtype === 's8' && !isDepthwise(node);
  return { ...rule, products: pairs ? rule.products : 'exact' };
}

function convKind(node: QuantConv): RecipeKind | 'conv' {
  if (node.fullyConnected) {
    return node.weight.scales.length === 1 ? 'fullyConnectedPerTensor' : 'fullyConnected';
  }
  return isDepthwise(node) ? 'depthwise' : 'conv';
}

function isDepthwise({ group, weight }: QuantConv): boolean {
  return group > 1 && weight.shape[1] === 1;
}

function convRequant(
  state: LoweringState,
  node: QuantConv,
  input: QuantValue,
  value: QuantValue,
): Requant {
  const { scales } = node.weight;
  const raw = scales.every((s) => Math.fround(input.scale * s) === value.scale);
  if (value.dtype === 's32' && value.zeroPoint === 0 && raw) return { kind: 'none' };
  const { product, code } = recipeOf(state.target.arithmetic, convKind(node), node.weight.dtype);
  const factors = Array.from(scales, (s) => scaleProduct(product, input.scale, s, value.scale));
  return requantOf(factors, code, (channel, reason) => {
    const wayOut = 'choose another scale for its weights or output';
    return state.refuse(
      node,
      scales.length > 1 ? `channel ${channel} ${reason}; ${wayOut}` : `${reason}; ${wayOut}`,
    );
  });
}
