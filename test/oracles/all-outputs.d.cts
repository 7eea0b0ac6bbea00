// SPDX-License-Identifier: Apache-2.0
/** A .tflite file whose every activation is an output, and the names of these tensors, in order. */
export function withAllOutputs(model: Uint8Array): {
  readonly bytes: Buffer;
  readonly names: readonly string[];
};
