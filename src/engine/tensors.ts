// SPDX-License-Identifier: Apache-2.0
// Tensors as the addon describes them, and the typed arrays that hold their codes.
import { UsageError } from '../errors.js';
import { type Codes, codeTypes, codeArrays } from '../numeric/code-types.js';
import type { CodeTensor } from '../program/executor.js';
import type { NativeTensor } from './native.js';

/** Typed arrays as callers hand them over. */
type Bytes = Codes | Float32Array;

/**
 * Memory that other threads can write, that can shrink, or that was transferred away is refused: native code
 * holds on to it for the length of a run.
 * @throws UsageError `shared-memory`, `resizable-memory`, `detached-memory`
 */
export function checkMemory(array: Bytes, role: string): void {
  const { buffer } = array as {
    readonly buffer: ArrayBufferLike & { readonly resizable?: boolean };
  };
  const where = `the ${role} array`;
  // By name: buffers of another realm are as good.
  if (Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]') {
    throw new UsageError(
      'shared-memory',
      where,
      'is on a SharedArrayBuffer, which another thread may write during the run; hand over a copy (slice)',
    );
  }
  if (buffer.resizable === true) {
    throw new UsageError(
      'resizable-memory',
      where,
      'is on a resizable ArrayBuffer; hand over a copy (slice)',
    );
  }
  if (array.length === 0 && isDetached(buffer)) {
    throw new UsageError(
      'detached-memory',
      where,
      'was transferred to another thread or taken apart; it holds nothing any more',
    );
  }
}

/** An empty buffer that cannot be copied is one that was transferred away. */
function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    buffer.slice(0, 0);
    return false;
  } catch {
    return true;
  }
}

/** @throws UsageError for codes of another type or length; those of {@link checkMemory} */
export function checkCodes(codes: Codes, tensor: NativeTensor, role: string): void {
  checkMemory(codes, role);
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
