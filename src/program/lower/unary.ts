// SPDX-License-Identifier: Apache-2.0
// Functions of one 8-bit value, computed once for all 256 codes, and changes of quantization.
import type { QuantNode, QuantUnary, QuantValue } from '../../graph/quant-graph.js';
import { sameQuantization } from '../../graph/quant-types.js';
import { codeLimits } from '../../numeric/code-types.js';
import { gelu } from '../../numeric/gelu.js';
import { quantizeMultiplier, scaleProduct } from '../../numeric/multipliers.js';
import { fixedPoint } from '../../numeric/requant.js';
import { roundHalfAway, roundHalfEven, roundShift } from '../../numeric/round.js';
import type { RequantizeForm } from '../../targets/target.js';
import { requantizer } from '../interpret/finish.js';
import type { Requant } from '../program.js';
import { codeClamp } from './clamp.js';
import { requantOf } from './requant.js';
import { limitsOf, type LoweringState } from './state.js';
import { imageRuns, writeInVectors } from './vectors.js';
import { oneCodeWindow } from './window.js';

const f32 = Math.fround;

type CodeFunction = (code: number) => number;

/** A function of one value as a table; of 16-bit codes only a change of quantization, computed. */
export function lowerUnary(state: LoweringState, node: QuantUnary): void {
  const [from, to] = [state.value(node.inputs[0]!), state.value(node.output)];
  const inputs = [state.read(node, node.inputs[0]!)];
  const clamp = codeClamp(state, node, node.clamp, to, false);
  if (node.op === 'Requantize' && from.dtype === 's16') {
    const requant = requantOfScales(state, node, [from, to], formOf(state, node, from, to));
    const output = state.write(node.output);
    state.ops.push(oneCodeWindow(node.name, inputs, output, requant, clamp));
    return;
  }
  const bounded = (compute: CodeFunction): Int32Array =>
    tableOf(state, node, from, (code) =>
      Math.min(Math.max(compute(code), clamp.lo[0]!), clamp.hi[0]!),
    );
  const form = node.op === 'Requantize' ? formOf(state, node, from, to) : undefined;
  if (form?.kind === 'code' && form.rest !== undefined) {
    const { vector, code } = form.rest;
    writeInVectors(state, node, imageRuns(to, vector), (whole, name, output) => {
      const compute = rescaling(state, node, from, to, whole ? form : { ...form, code });
      return { op: 'lut', name, inputs, output, table: bounded(compute) };
    });
    return;
  }
  const table = bounded(codeFunction(state, node, from, to));
  state.ops.push({ op: 'lut', name: node.name, inputs, output: state.write(node.output), table });
}

function tableOf(
  state: LoweringState,
  node: QuantNode,
  from: QuantValue,
  compute: CodeFunction,
): Int32Array {
  if (from.dtype !== 'u8' && from.dtype !== 's8') {
    state.refuse(
      node,
      `reads ${from.dtype}: functions of one value need 8-bit codes; quantize to 8 bits`,
    );
  }
  const [least] = codeLimits(from.dtype);
  return Int32Array.from({ length: 256 }, (_, i) => compute(least + i));
}

/**
 * The tensor of `name` with the quantization of `to`: itself where both are equal, else a table's
 * output, as for operations that copy codes.
 */
export function converted(
  state: LoweringState,
  node: QuantNode,
  name: string,
  to: QuantValue,
  form: RequantizeForm = state.target.arithmetic.unary.requantize,
): number {
  const from = state.value(name);
  const index = state.read(node, name);
  if (from.dtype === to.dtype && from.scale === to.scale && from.zeroPoint === to.zeroPoint)
    return index;
  const [least, greatest] = limitsOf(to);
  const compute = rescaling(state, node, from, to, form);
  const label = `${node.name}/requantize${node.inputs.indexOf(name)}`;
  const table = tableOf(state, node, from, (code) =>
    Math.min(Math.max(compute(code), least), greatest),
  );
  const output = state.append(to, label, from);
  state.ops.push({ op: 'lut', name: label, inputs: [index], output, table });
  return output;
}

/** Writes a node's value as a table of a tensor with another quantization. */
export function convertTensor(
  state: LoweringState,
  node: QuantNode,
  input: number,
  from: QuantValue,
  to: QuantValue,
): void {
  const [least, greatest] = limitsOf(to);
  const compute = rescaling(state, node, from, to, state.target.arithmetic.unary.requantize);
  const table = tableOf(state, node, from, (code) =>
    Math.min(Math.max(compute(code), least), greatest),
  );
  const output = state.write(node.output);
  state.ops.push({ op: 'lut', name: node.name, inputs: [input], output, table });
}

function codeFunction(
  state: LoweringState,
  node: QuantUnary,
  from: QuantValue,
  to: QuantValue,
): CodeFunction {
  const { hardSwish, sigmoid } = state.target.arithmetic.unary;
  const alpha = f32(node.alpha ?? 1 / 6);
  const beta = f32(node.beta ?? 0.5);
  const ramp = (x: number): number => Math.max(0, Math.min(1, f32(f32(alpha * x) + beta)));
  switch (node.op) {
    case 'Requantize':
      return rescaling(state, node, from, to, formOf(state, node, from, to));
    case 'HardSwish':
      if (hardSwish !== 'tflite16')
        return realFunction(from, to, (x) => f32(x * ramp(x)), hardSwish);
      if (alpha !== f32(1 / 6) || beta !== 0.5) {
        state.refuse(
          node,
          'is no hard-swish with slope 1/6 and offset 1/2, the only one the target has',
        );
      }
      return hardSwish16(state, node, from, to);
    case 'HardSigmoid':
      return realFunction(from, to, ramp, sigmoid);
    case 'Sigmoid':
      return realFunction(from, to, (x) => f32(1 / (1 + Math.exp(-x))), sigmoid);
    case 'LeakyRelu':
      return leakyRelu(state, node, from, to);
    case 'Gelu': {
      const rounding = state.target.arithmetic.unary.gelu ?? state.refuse(node, notOffered);
      return realFunction(from, to, (x) => f32(gelu(x, node.approximate ?? false)), rounding);
    }
  }
}

const notOffered =
  'is a function that the target has no exact form for; choose a LiteRT or onnxruntime target';

function leakyRelu(
  state: LoweringState,
  node: QuantUnary,
  from: QuantValue,
  to: QuantValue,
): CodeFunction {
  const form = state.target.arithmetic.unary.leakyRelu ?? state.refuse(node, notOffered);
  const alpha = f32(node.alpha ?? 0.01);
  const real = (x: number): number => (x >= 0 ? x : f32(x * alpha));
  if (form === 'f32HalfEven') return realFunction(from, to, real, form);
  if (!(alpha >= 0)) state.refuse(node, `has the slope ${alpha}; only slopes from 0 on are known`);
  const ratio = f32(from.scale / to.scale);
  const slopes = [ratio, f32(ratio * alpha)] as const;
  if (form === 'xnnpack' && slopes.every((slope) => slope >= 1 / 256 && slope <= 128)) {
    const [above, below] = slopes.map((slope) => roundHalfEven(f32(slope * 256)));
    return (code) => {
      const x = code - from.zeroPoint;
      return Math.floor((x * (x >= 0 ? above! : below!) + 128) / 256) + to.zeroPoint;
    };
  }
  // LeakyRelu of LiteRT's kernels: a multiplier for each side, in doubles.
  const [above, below] = [
    quantizeMultiplier(from.scale / to.scale),
    quantizeMultiplier((from.scale * alpha) / to.scale),
  ];
  return (code) => {
    const x = code - from.zeroPoint;
    const { multiplier, shift } = x >= 0 ? above : below;
    return fixedPoint(x, multiplier, shift, 'gemmlowp2') + to.zeroPoint;
  };
}

/** How the target changes the quantization of a value. */
function formOf(
  { target }: LoweringState,
  node: QuantUnary,
  from: QuantValue,
  to: QuantValue,
): RequantizeForm {
  const { unary, s16 } = target.arithmetic;
  const { requantize, rectify, retype } = unary;
  if (from.dtype === 's16' || to.dtype === 's16') return s16?.requantize ?? requantize;
  if (node.clamp !== undefined) return rectify ?? requantize;
  return from.dtype === to.dtype ? requantize : (retype ?? requantize);
}

/** Dequantize, compute in float32, quantize. */
function realFunction(
  from: QuantValue,
  to: QuantValue,
  compute: (x: number) => number,
  rounding: 'f32HalfAway' | 'f32HalfEven',
): CodeFunction {
  const round = rounding === 'f32HalfAway' ? roundHalfAway : roundHalfEven;
  return (code) => {
    const x = f32((code - from.zeroPoint) * from.scale);
    return round(f32(compute(x) / to.scale)) + to.zeroPoint;
  };
}

function rescaling(
  state: LoweringState,
  node: QuantNode,
  from: QuantValue,
  to: QuantValue,
  form: RequantizeForm,
): CodeFunction {
  switch (form.kind) {
    case 'f32': {
      const rounding = form.rule === 'halfAway' ? 'f32HalfAway' : 'f32HalfEven';
      return realFunction(from, to, (x) => x, rounding);
    }
    case 'f32Biased': {
      // TensorFlow Lite's ConcatenationWithScaling; equal operands are copied.
      if (sameQuantization(from, to)) return (code) => code;
      const ratio = f32(from.scale * f32(1 / to.scale));
      const bias = f32(-from.zeroPoint * ratio);
      return (code) => roundHalfAway(f32(f32(code * ratio) + bias)) + to.zeroPoint;
    }
    case 'fractional': {
      const ratio = f32(from.scale / to.scale);
      const multiplier = roundHalfEven(ratio * 2 ** form.bits);
      if (multiplier < 1 || multiplier > 2 ** 15) {
        state.refuse(node, `changes the scale by ${ratio}, outside of what the target converts`);
      }
      return (code) =>
        fixedPoint(code - from.zeroPoint, multiplier, form.bits, form.rule) + to.zeroPoint;
    }
    case 'code': {
      const requantize = requantizer(requantOfScales(state, node, [from, to], form));
      return (x) => requantize(x - from.zeroPoint, 0) + to.zeroPoint;
    }
  }
}

/** The step from one scale to another as the requantization of an integer. */
function requantOfScales(
  state: LoweringState,
  node: QuantNode,
  [from, to]: readonly [QuantValue, QuantValue],
  form: RequantizeForm,
): Requant {
  if (form.kind !== 'code') {
    return state.refuse(node, 'changes the scale of 16-bit codes, which the target does not');
  }
  const { arithmetic } = state.target;
  const factor = scaleProduct(form.product ?? arithmetic.product, from.scale, 1, to.scale);
  const [least, greatest] = limitsOf(to);
  const layer = {
    steps: [from.scale],
    outputScale: to.scale,
    zeroPoint: to.zeroPoint,
    clamp: { lo: Int32Array.of(least), hi: Int32Array.of(greatest) },
    reach: from.dtype === 's16' ? 2 ** 16 : 256,
  };
  const code = form.code ?? arithmetic.code;
  return requantOf([factor], code, layer, (_, reason) => state.refuse(node, reason));
}

const int16 = (x: number): number => Math.min(Math.max(x, -32768), 32767);

/** Saturating rounding doubling high multiply of int16, as gemmlowp's: ties up. */
function srdhm16(a: number, b: number): number {
  return int16(Math.floor((a * b + 2 ** 14) / 2 ** 15));
}

/**
 * TensorFlow Lite's int8 hard-swish (reference/hard_swish.h, prepared in activations.cc): the
 * input with 7 fractional bits, scaled once for the output and once for the ramp [-3, 3].
 */
function hardSwish16(
  state: LoweringState,
  node: QuantUnary,
  from: QuantValue,
  to: QuantValue,
): CodeFunction {
  const fine = f32(from.scale * (1 / 128));
  const out = multiplier16(f32(fine / to.scale));
  const ramp = multiplier16(f32(fine / f32(3 / 32768)));
  if (out.exponent > 0) {
    state.refuse(node, 'its output scale is below 1/128 of its input scale; choose a larger one');
  }
  return (code) => {
    const x = (code - from.zeroPoint) * 128;
    const scaled = srdhm16(x, out.multiplier);
    const position = rampPosition(x, ramp);
    const product = Math.trunc((position * scaled) / 2 ** 15);
    return shiftRight16(product, -out.exponent) + to.zeroPoint;
  };
}

interface Multiplier16 {
  readonly multiplier: number;
  readonly exponent: number;
}

function multiplier16(factor: number): Multiplier16 {
  const { multiplier, shift } = quantizeMultiplier(factor);
  return {
    multiplier: Math.min(Math.floor((multiplier + 2 ** 15) / 2 ** 16), 32767),
    exponent: 31 - shift,
  };
}

/** x as a share of the ramp, 0 to 1, with 15 fractional bits. */
function rampPosition(x: number, { multiplier, exponent }: Multiplier16): number {
  const before = exponent > 0 ? int16(x * 2 ** (exponent - 1)) : x;
  const product = srdhm16(before, multiplier);
  const shifted = exponent > 0 ? int16(product * 2) : shiftRight16(product, -exponent);
  return Math.floor((shifted + 2 ** 15) / 2);
}

function shiftRight16(x: number, s: number): number {
  return s === 0 ? x : roundShift(x, s, 'halfAway');
}
