// SPDX-License-Identifier: Apache-2.0
// Operators of quantized files, by name. A name that is not here is reported as unsupported.
import type { ReadOperator } from '../state.js';
import { add, cast, div, mul, round, sub } from './arithmetic.js';
import { batchNorm } from './batch-norm.js';
import { clip, max, min, relu } from './bounds.js';
import { conv, gemm, matMul } from './linear.js';
import { averagePool, globalAveragePool, maxPool, reduceMean, wholeMaximum } from './pools.js';
import {
  convInteger,
  matMulInteger,
  qGemm,
  qLinearAdd,
  qLinearAveragePool,
  qLinearConcat,
  qLinearConv,
  qLinearGlobalAveragePool,
  qLinearLeakyRelu,
  qLinearMatMul,
  qLinearMul,
  qLinearSigmoid,
  qLinearSoftmax,
} from './qlinear.js';
import { dequantizeLinear, quantizeLinear } from './quantize-linear.js';
import { resize } from './resize.js';
import { gather, slice, split } from './selections.js';
import {
  concat,
  flatten,
  identity,
  pad,
  reshape,
  squeeze,
  transpose,
  unsqueeze,
} from './shapes.js';
import {
  dynamicQuantize,
  gelu,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  sigmoid,
  softmax,
  tailOnly,
} from './unary.js';

/** Layers that work on integers: their presence makes a file a QOperator one. */
export const integerOperators: ReadonlyMap<string, ReadOperator> = new Map([
  ['QLinearConv', qLinearConv],
  ['QLinearMatMul', qLinearMatMul],
  ['QGemm', qGemm],
  ['QLinearAdd', qLinearAdd],
  ['QLinearMul', qLinearMul],
  ['QLinearAveragePool', qLinearAveragePool],
  ['QLinearGlobalAveragePool', qLinearGlobalAveragePool],
  ['QLinearConcat', qLinearConcat],
  ['QLinearSigmoid', qLinearSigmoid],
  ['QLinearLeakyRelu', qLinearLeakyRelu],
  ['QLinearSoftmax', qLinearSoftmax],
  ['ConvInteger', convInteger],
  ['MatMulInteger', matMulInteger],
]);

export const operators: ReadonlyMap<string, ReadOperator> = new Map([
  ...integerOperators,
  ['QuantizeLinear', quantizeLinear],
  ['DequantizeLinear', dequantizeLinear],
  ['DynamicQuantizeLinear', dynamicQuantize],
  ['Conv', conv],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['BatchNormalization', batchNorm],
  ['Add', add],
  ['Sub', sub],
  ['Mul', mul],
  ['Div', div],
  ['Round', round],
  ['Cast', cast],
  ['Relu', relu],
  ['Clip', clip],
  ['Max', max],
  ['Min', min],
  ['AveragePool', averagePool],
  ['GlobalAveragePool', globalAveragePool],
  ['ReduceMean', reduceMean],
  ['MaxPool', maxPool],
  ['GlobalMaxPool', wholeMaximum],
  ['ReduceMax', wholeMaximum],
  ['Concat', concat],
  ['Split', split],
  ['Slice', slice],
  ['Gather', gather],
  ['Pad', pad],
  ['Reshape', reshape],
  ['Resize', resize],
  ['Flatten', flatten],
  ['Squeeze', squeeze],
  ['Unsqueeze', unsqueeze],
  ['Transpose', transpose],
  ['Identity', identity],
  ['Dropout', identity],
  ['Softmax', softmax],
  ['Sigmoid', sigmoid],
  ['HardSigmoid', hardSigmoid],
  ['HardSwish', hardSwish],
  ['LeakyRelu', leakyRelu],
  ['Gelu', gelu],
  ['LogSoftmax', tailOnly],
  ['ArgMax', tailOnly],
]);
