// SPDX-License-Identifier: Apache-2.0
// One operation of a program as a program of its own, so that its error can be seen apart from
// what came before it.
import { type Codes, codeLimits } from '../numeric/code-types.js';
import type { ConvOp, Op, Program, ProgramTensor } from '../program/program.js';

/** A program of one operation (and of what splits its input, where it has several). */
export interface Isolated {
  readonly program: Program;
  /** Codes of each of the operation's inputs to codes of the program's input. */
  join(inputs: readonly Codes[]): Codes;
}

/**
 * A program has one input, so several are joined along channels and taken apart again by
 * pointwise convolutions that copy codes.
 * @returns undefined where the inputs differ in type or size and cannot be joined
 */
export function isolate(program: Program, op: Op): Isolated | undefined {
  const inputs = op.inputs.map((index) => program.tensors[index]!);
  const output = program.tensors[op.output]!;
  if (inputs.length === 1) {
    const tensors = [inputs[0]!, output];
    const only = { ...op, inputs: [0], output: 1 };
    return { program: part(program, tensors, [only]), join: ([codes]) => codes! };
  }
  return joinable(inputs) ? split(program, op, inputs, output) : undefined;
}

function split(
  program: Program,
  op: Op,
  inputs: readonly ProgramTensor[],
  output: ProgramTensor,
): Isolated {
  const channels = inputs.map((tensor) => tensor.channels);
  const total = channels.reduce((a, b) => a + b, 0);
  const joined = { ...inputs[0]!, name: 'joined', channels: total, zeroPoint: 0 };
  const parts = inputs.map((tensor, i) => ({ ...tensor, name: `part ${i}` }));
  const copies = parts.map((tensor, i) => {
    const first = channels.slice(0, i).reduce((a, b) => a + b, 0);
    return copyChannels(tensor, first, total, i + 1);
  });
  const last = { ...op, inputs: parts.map((_, i) => i + 1), output: parts.length + 1 };
  return {
    program: part(program, [joined, ...parts, output], [...copies, last]),
    join: (codes) => interleave(codes, channels),
  };
}

/** a = x - z by the bias, then a factor of 2^30 / 2^30, then + z: the code itself. */
function copyChannels(to: ProgramTensor, first: number, total: number, index: number): ConvOp {
  const { channels, zeroPoint, dtype } = to;
  const weights = new Int8Array(channels * total);
  for (let c = 0; c < channels; c++) weights[c * total + first + c] = 1;
  const [lo, hi] = codeLimits(dtype);
  return {
    op: 'conv',
    name: `copy ${index}`,
    inputs: [0],
    output: index,
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    groups: 1,
    weightType: 's8',
    weights,
    weightZeroPoints: Int32Array.of(0),
    bias: new Int32Array(channels).fill(-zeroPoint),
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: true },
    requant: {
      kind: 'fixed',
      multiplier: Int32Array.of(2 ** 30),
      shift: Uint8Array.of(30),
      rule: 'halfUp',
    },
    clamp: { lo: Int32Array.of(lo), hi: Int32Array.of(hi) },
  };
}

function part(program: Program, tensors: readonly ProgramTensor[], ops: readonly Op[]): Program {
  const { target, metadata, inputQuantization } = program;
  return {
    target,
    metadata,
    inputQuantization,
    tensors,
    ops,
    input: 0,
    outputs: [tensors.length - 1],
  };
}

function joinable(inputs: readonly ProgramTensor[]): boolean {
  const [first] = inputs;
  return inputs.every(
    ({ dtype, height, width }) =>
      dtype !== 's32' &&
      dtype === first!.dtype &&
      height === first!.height &&
      width === first!.width,
  );
}

function interleave(parts: readonly Codes[], channels: readonly number[]): Codes {
  const area = parts[0]!.length / channels[0]!;
  const total = channels.reduce((a, b) => a + b, 0);
  const joined = new (parts[0]!.constructor as new (length: number) => Codes)(area * total);
  let first = 0;
  parts.forEach((codes, k) => {
    const width = channels[k]!;
    for (let i = 0; i < area; i++) {
      joined.set(codes.subarray(i * width, (i + 1) * width), i * total + first);
    }
    first += width;
  });
  return joined;
}
