// SPDX-License-Identifier: Apache-2.0
import type { ImportOp } from '../context.js';
import {
  importBound,
  importClip,
  importGelu,
  importHardSigmoid,
  importRelu,
  importSigmoid,
  importSoftmax,
} from './activations.js';
import { importElementwise, importGemm, importMatMul } from './arithmetic.js';
import { importConv } from './convolution.js';
import { importBatchNorm } from './normalization.js';
import {
  importAveragePool,
  importGlobalAveragePool,
  importGlobalMaxPool,
  importMaxPool,
  importReduceMax,
  importReduceMean,
} from './pooling.js';
import { importLeakyRelu, importPRelu, importSwish } from './rectifiers.js';
import { importResize, importUpsample } from './resize.js';
import { importGather, importSlice, importSplit } from './selections.js';
import {
  importCast,
  importConcat,
  importDropout,
  importFlatten,
  importIdentity,
  importPad,
  importReshape,
  importSqueeze,
  importTranspose,
  importUnsqueeze,
} from './shaping.js';

/** The operators that activations may pass through, by ONNX name. */
export const operators: ReadonlyMap<string, ImportOp> = new Map([
  ['Add', importElementwise],
  ['AveragePool', importAveragePool],
  ['BatchNormalization', importBatchNorm],
  ['Cast', importCast],
  ['Clip', importClip],
  ['Concat', importConcat],
  ['Conv', importConv],
  ['Div', importElementwise],
  ['Dropout', importDropout],
  ['Flatten', importFlatten],
  ['Gather', importGather],
  ['Gelu', importGelu],
  ['Gemm', importGemm],
  ['GlobalAveragePool', importGlobalAveragePool],
  ['GlobalMaxPool', importGlobalMaxPool],
  ['HardSigmoid', importHardSigmoid],
  ['HardSwish', importHardSigmoid],
  ['Identity', importIdentity],
  ['LeakyRelu', importLeakyRelu],
  ['MatMul', importMatMul],
  ['Max', importBound],
  ['MaxPool', importMaxPool],
  ['Min', importBound],
  ['Mul', importElementwise],
  ['PRelu', importPRelu],
  ['Pad', importPad],
  ['ReduceMax', importReduceMax],
  ['ReduceMean', importReduceMean],
  ['Relu', importRelu],
  ['Reshape', importReshape],
  ['Resize', importResize],
  ['Sigmoid', importSigmoid],
  ['Slice', importSlice],
  ['Softmax', importSoftmax],
  ['Split', importSplit],
  ['Squeeze', importSqueeze],
  ['Sub', importElementwise],
  ['Sum', importElementwise],
  ['Swish', importSwish],
  ['Transpose', importTranspose],
  ['Unsqueeze', importUnsqueeze],
  ['Upsample', importUpsample],
]);

const quantized =
  /^(QLinear|QuantizeLinear|DequantizeLinear|ConvInteger|MatMulInteger|DynamicQuantize|QGemm)/;

/** Why an operator has no entry above, as far as that can be said in a few words. */
export function reasonFor(op: string, domain: string): string {
  if (quantized.test(op)) return 'the model is already quantized; run it instead of quantizing it';
  if (domain !== '') return 'operators of other domains are not supported';
  return 'lastbit has no such operator; replace it or cut the model before it';
}
