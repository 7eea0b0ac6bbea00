// SPDX-License-Identifier: Apache-2.0
import type { QuantConv, QuantValue, QuantWeight } from '../../graph/quant-graph.js';
import { codeLimits } from '../../numeric/code-types.js';
import { scaleProduct } from '../../numeric/multipliers.js';
import type { Recipe, RecipeKind, ScaleCode } from '../../targets/target.js';
import type { Accumulator, CodeClamp, ConvOp, Requant } from '../program.js';
import { alignBias } from './bias.js';
import { codeClamp } from './clamp.js';
import type { Refuse } from './layer.js';
import { recipeOf } from './recipe.js';
import { requantOf } from './requant.js';
import { isReordered, rowOf } from './row.js';
import { addsBias } from './staged.js';
import { imageOf, type LoweringState } from './state.js';
import { channelRuns, writeInVectors } from './vectors.js';

/**
 * A convolution or fully connected layer. A flattened input becomes a kernel as large as the image,
 * or a row where pairs of products saturate: runtimes pair them in NCHW order there.
 */
export function lowerConv(state: LoweringState, node: QuantConv): void {
  const name = node.inputs[0]!;
  const flattened = state.flattened.get(name);
  const input = state.value(flattened?.name ?? name);
  const image = flattened && readsRow(state, node, flattened) ? undefined : flattened;
  const inputs = [flattened && !image ? rowOf(state, node, name) : state.read(node, input.name)];
  const value = state.value(node.output);
  const { weight, bias } = node;
  const clamp = codeClamp(state, node, node.clamp, value, true);
  const given = bias ?? new Int32Array(weight.shape[0]!);
  const aligned = alignBias(given, state.target.arithmetic.bias, (channel, reason) =>
    state.refuse(
      node,
      `channel ${channel}: ${reason}; choose larger scales, or set "bias.overflow" to saturate`,
    ),
  );
  const { height, width } = imageOf(input)!;
  const kernel = image === undefined ? node.kernel : ([height, width] as const);
  const weights = channelsLast(weight, kernel[0] * kernel[1]);
  const { code, rest } = recipe(state, node);
  const operation = (name: string, output: number, code: ScaleCode): ConvOp => {
    const requant = convRequant(state, node, input, value, { clamp, bias: aligned, code });
    const inside = requant.kind === 'stages' && addsBias(code);
    return {
      op: 'conv',
      name,
      inputs,
      output,
      kernel,
      strides: node.strides,
      dilations: node.dilations,
      pads: node.pads,
      groups: node.group,
      weightType: weight.dtype,
      weights,
      weightZeroPoints: collapse(weight.zeroPoints),
      bias: inside ? new Int32Array(aligned.length) : aligned,
      accumulator: accumulator(state, node, input),
      requant,
      clamp,
    };
  };
  if (rest === undefined) {
    state.ops.push(operation(node.name, state.write(node.output), code));
    return;
  }
  writeInVectors(state, node, channelRuns(value, rest.vector), (whole, name, output) =>
    operation(name, output, whole ? code : rest.code),
  );
}

/** [O, I, KH, KW] to [O, KH, KW, I]. */
function channelsLast({ shape, data }: QuantWeight, positions: number): ConvOp['weights'] {
  const outputs = shape[0]!;
  const perOutput = data.length / outputs;
  const inputs = perOutput / positions;
  const result = data.slice();
  if (positions === 1) return result;
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

/**
 * Pairs saturate where u8 codes meet s8 weights; where each channel makes one of its own (which
 * onnxruntime has a kernel for) only if so said.
 */
function accumulator({ target }: LoweringState, node: QuantConv, input: QuantValue): Accumulator {
  const { pairsInDepthwise = false, ...rule } = target.arithmetic.accumulator;
  const pairs = arePaired(node, input) && (pairsInDepthwise || !isOneToOne(node));
  const { s16 } = target.arithmetic;
  const bits = input.dtype === 's16' && s16 ? s16.accumulatorBits : rule.bits;
  return { ...rule, bits, products: pairs ? rule.products : 'exact' };
}

/** Whether a layer over a flattened image has to read it in NCHW order. */
function readsRow({ target, options }: LoweringState, node: QuantConv, image: QuantValue): boolean {
  const { products } = target.arithmetic.accumulator;
  const paired = products === 'satPairs16' || options.rows === true;
  return paired && arePaired(node, image) && isReordered(image);
}

/** Whether codes and weights have the types whose products saturate in pairs. */
function arePaired({ weight }: QuantConv, input: QuantValue): boolean {
  return input.dtype === 'u8' && weight.dtype === 's8';
}

function convKind(node: QuantConv): RecipeKind | 'conv' {
  if (node.fullyConnected) {
    return node.weight.scales.length === 1 ? 'fullyConnectedPerTensor' : 'fullyConnected';
  }
  return node.oneChannelDepthwise || isDepthwise(node) ? 'depthwise' : 'conv';
}

function isDepthwise({ group, weight }: QuantConv): boolean {
  return group > 1 && weight.shape[1] === 1;
}

/** Whether every output channel has an input channel to itself, even the only one. */
function isOneToOne({ group, weight }: QuantConv): boolean {
  return weight.shape[1] === 1 && weight.shape[0] === group;
}

function recipe(state: LoweringState, node: QuantConv): Recipe {
  const { dtype } = state.value(node.inputs[0]!);
  return recipeOf(state.target.arithmetic, convKind(node), node.weight.dtype, dtype);
}

function convRequant(
  state: LoweringState,
  node: QuantConv,
  input: QuantValue,
  value: QuantValue,
  { clamp, bias, code }: { clamp: CodeClamp; bias: Int32Array; code: ScaleCode },
): Requant {
  const { scales } = node.weight;
  const raw = scales.every((s) => Math.fround(input.scale * s) === value.scale);
  if (value.dtype === 's32' && value.zeroPoint === 0 && raw) return { kind: 'none' };
  const { product } = recipe(state, node);
  const factors = Array.from(scales, (s) => scaleProduct(product, input.scale, s, value.scale));
  if (code.kind === 'q31' && code.reduced === true && isConstant(node, factors)) {
    return { kind: 'shift', rule: 'halfUp', shift: Int8Array.of(0) };
  }
  const refuse: Refuse = (channel, reason) => {
    const wayOut = 'choose another scale for its weights or output';
    return state.refuse(
      node,
      scales.length > 1 ? `channel ${channel} ${reason}; ${wayOut}` : `${reason}; ${wayOut}`,
    );
  };
  const layer = {
    steps: Array.from(scales, (s) => input.scale * s),
    outputScale: value.scale,
    zeroPoint: value.zeroPoint,
    clamp,
    bias,
    reach: reach(node.weight, input),
  };
  return requantOf(factors, code, layer, refuse);
}

/**
 * Whether a layer stands for a constant (`graph/quant-constant.ts`), whose codes are its biases; a
 * multiplier of 16 bits has no 1 for them.
 */
function isConstant({ weight, group }: QuantConv, factors: readonly number[]): boolean {
  const { data, shape, zeroPoints } = weight;
  const isEmpty = zeroPoints.length === 1 && data.every((code) => code === zeroPoints[0]);
  const [factor = 0] = factors;
  return isEmpty && group === shape[0] && data.length === group && Math.abs(factor - 1) < 1e-6;
}

/** The greatest magnitude of a sum of products in any channel. */
function reach({ data, shape, zeroPoints }: QuantWeight, input: QuantValue): number {
  if (input.dtype === 's32') return 2 ** 31;
  const [least, greatest] = codeLimits(input.dtype);
  const farthest = Math.max(input.zeroPoint - least, greatest - input.zeroPoint);
  const size = data.length / shape[0]!;
  let most = 0;
  for (let o = 0; o < shape[0]!; ++o) {
    const z = zeroPoints.length === 1 ? zeroPoints[0]! : zeroPoints[o]!;
    let sum = 0;
    for (let i = o * size; i < (o + 1) * size; ++i) sum += Math.abs(data[i]! - z);
    most = Math.max(most, sum * farthest);
  }
  return most;
}
