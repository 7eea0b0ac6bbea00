// SPDX-License-Identifier: Apache-2.0
import type { Codes, CodeType } from '../../numeric/code-types.js';
import type { CodeTensor } from '../../program/executor.js';
import type { ConvOp, Program } from '../../program/program.js';
import { otherSums } from './other-sums.js';

/** A convolution's numbers, NHWC, and what is known of its sums under other paddings. */
export interface LayerNumbers {
  readonly op: ConvOp;
  readonly dtype: CodeType;
  readonly zeroPoint: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly accumulators: ArrayLike<number>;
  readonly output: ArrayLike<number>;
  /** Accumulators with other operands, by the fault that leads to them. */
  readonly otherSums: ReadonlyMap<string, ArrayLike<number>>;
}

/** @param sums the layer's accumulators, NHWC */
export function layerNumbers(
  program: Program,
  op: ConvOp,
  input: CodeTensor,
  output: CodeTensor,
  sums: Codes,
): LayerNumbers {
  const [from, to] = [program.tensors[op.inputs[0]!]!, program.tensors[op.output]!];
  const { height, width, channels, dtype, zeroPoint, data } = output;
  return {
    ...{ op, dtype, zeroPoint, height, width, channels, accumulators: sums, output: data },
    otherSums: otherSums(op, from, to, input.data, sums),
  };
}
