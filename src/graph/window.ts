// SPDX-License-Identifier: Apache-2.0
// Sizes of sliding windows (convolutions and pools), one axis at a time.

/** Positions of a window along one axis: floor((size + before + after - extent) / stride) + 1. */
export function windowPositions(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  before: number,
  after: number,
): number {
  const extent = (kernel - 1) * dilation + 1;
  return Math.floor((size + before + after - extent) / stride) + 1;
}

/**
 * Padding that makes the output ceil(size / stride) long, the odd element at the end, as in
 * TensorFlow's SAME and ONNX's SAME_UPPER.
 */
export function samePadding(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
): readonly [before: number, after: number] {
  const positions = Math.ceil(size / stride);
  const extent = (kernel - 1) * dilation + 1;
  const total = Math.max(0, (positions - 1) * stride + extent - size);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}
