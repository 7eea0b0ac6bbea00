// SPDX-License-Identifier: Apache-2.0
import type { Program } from '../program/program.js';
import { sizeOfOp } from './count-macs.js';

/** One operation of a network and where its inputs come from. */
export interface NetworkLayer {
  readonly name: string;
  readonly op: string;
  /** Names of the operations that feed it; the network's own input is not among them. */
  readonly inputs: readonly string[];
  /** Rows, columns and channels of its output. */
  readonly shape: readonly [number, number, number];
  /** Multiply-accumulates for one image. */
  readonly macs: number;
}

/** The network as a list of operations in the order in which they run. */
export function networkOf(program: Program): NetworkLayer[] {
  const makers = new Map(program.ops.map(({ output, name }) => [output, name]));
  return program.ops.map((op) => {
    const { height, width, channels } = program.tensors[op.output]!;
    return {
      ...{ name: op.name, op: op.op },
      inputs: op.inputs.flatMap((index) => makers.get(index) ?? []),
      shape: [height, width, channels],
      macs: sizeOfOp(program, op).macs,
    };
  });
}
