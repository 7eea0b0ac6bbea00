// SPDX-License-Identifier: Apache-2.0
import type { AveragePoolOp, CodeClamp, Requant } from '../program.js';

/** Requantizes every code by itself: a mean over windows of one code. */
export function oneCodeWindow(
  name: string,
  inputs: readonly number[],
  output: number,
  requant: Requant,
  clamp: CodeClamp,
): AveragePoolOp {
  return {
    op: 'averagePool',
    name,
    inputs,
    output,
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    form: { kind: 'requant', requant },
    clamp,
  };
}
