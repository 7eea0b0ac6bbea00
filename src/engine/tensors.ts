// SPDX-License-Identifier: Apache-2.0
// Tensors as the addon describes them, and the typed arrays that hold their codes.
import { UsageError } from '../errors.js';
import { type Codes, codeTypes, codeArrays } from '../numeric/code-types.js';
import type { CodeTensor } from '../program/executor.js';
import type { NativeTensor } from './native.js';

/** @throws UsageError for codes of another type or length */
export function checkCodes(codes: Codes, tensor: NativeTensor, role: string): void {
  const { dtype, height, width, channels, name } = described(tensor);
  const count = height * width * channels;
  // By name: typed arrays of another realm are as good.
  if (
    codes.constructor.name.replace('Buffer', 'Uint8Array') === codeArrays[dtype].name &&
    codes.length === count
  ) {
    return;
  }
  throw new UsageError(
    `${role}-codes`,
    `${role} "${name}"`,
    `expected ${count} codes of ${dtype} (${height} x ${width} x ${channels}, NHWC), ` +
      `got ${codes.length} in a ${codes.constructor.name}; quantizeInput makes them from reals`,
  );
}

export function allocate(tensor: NativeTensor): Codes {
  return new codeArrays[codeTypes[tensor.type]!](tensor.height * tensor.width * tensor.channels);
}

export function described(tensor: NativeTensor): Omit<CodeTensor, 'data'> {
  const { name, type, height, width, channels, scale, zeroPoint } = tensor;
  return { name, dtype: codeTypes[type]!, height, width, channels, scale, zeroPoint };
}
