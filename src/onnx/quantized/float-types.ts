// SPDX-License-Identifier: Apache-2.0
// Networks in float16: every float16 is a float32, so that its constants and scales are read as
// float32 and casts between the two kinds say nothing of the integers.
import { dtypeOf } from '../file/dtypes.js';
import type { OnnxTensor } from '../file/model.js';

/** Whether a TensorProto.DataType is a float of 16, 32 or 64 bits. */
export function isFloatType(dataType: number): boolean {
  const dtype = dtypeOf(dataType);
  return dtype === 'f16' || dtype === 'f32' || dtype === 'f64';
}

/** A float16 constant as float32, which is exact; any other as it is. */
export function widened(tensor: OnnxTensor): OnnxTensor {
  return tensor.dtype === 'f16' ? { ...tensor, dtype: 'f32' } : tensor;
}
