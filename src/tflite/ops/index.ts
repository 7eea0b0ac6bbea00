// SPDX-License-Identifier: Apache-2.0
// Supported operators by builtin name. A name that is not here is reported as unsupported.
import { conv2d, depthwiseConv2d, fullyConnected } from './convolutions.js';
import {
  add,
  averagePool,
  concatenation,
  dequantize,
  hardSwish,
  logistic,
  maxPool,
  mean,
  mul,
  pad,
  quantize,
  relu,
  relu0To1,
  relu6,
  reluN1To1,
  reshape,
  softmax,
} from './plain.js';
import type { ReadOperator } from './state.js';

export const operators: ReadonlyMap<string, ReadOperator> = new Map([
  ['CONV_2D', conv2d],
  ['DEPTHWISE_CONV_2D', depthwiseConv2d],
  ['FULLY_CONNECTED', fullyConnected],
  ['ADD', add],
  ['MUL', mul],
  ['AVERAGE_POOL_2D', averagePool],
  ['MAX_POOL_2D', maxPool],
  ['MEAN', mean],
  ['RESHAPE', reshape],
  ['SQUEEZE', reshape],
  ['EXPAND_DIMS', reshape],
  ['SOFTMAX', softmax],
  ['PAD', pad],
  ['CONCATENATION', concatenation],
  ['QUANTIZE', quantize],
  ['DEQUANTIZE', dequantize],
  ['HARD_SWISH', hardSwish],
  ['LOGISTIC', logistic],
  ['RELU', relu],
  ['RELU6', relu6],
  ['RELU_N1_TO_1', reluN1To1],
  ['RELU_0_TO_1', relu0To1],
]);
