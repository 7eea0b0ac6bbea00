// SPDX-License-Identifier: Apache-2.0
// Accumulators and partial sums of convolutions, computed by the engine itself: the program gets, beside
// each of them, operations with the same weights that write the sum as it is.
import type { CodeTensor } from '../program/executor.js';
import type { ConvOp, Program, ProgramTensor } from '../program/program.js';

/** A convolution whose sums are wanted. */
export interface SumRequest {
  readonly layer: string;
  /** Products added from one partial sum to the next, in the order ky, kx, input channel; 0 for none. */
  readonly step: number;
}

/** A program that also writes sums, and how to find them among its taps. */
export interface SummingProgram {
  readonly program: Program;
  /** Names of the taps: all partial sums, the last being the whole accumulator. */
  readonly taps: ReadonlyMap<string, readonly string[]>;
}

const int32 = { lo: Int32Array.of(-(2 ** 31)), hi: Int32Array.of(2 ** 31 - 1) };

/** Adds to a program the sums of some of its convolutions. Their accumulators have to fit 32 bits. */
export function withSums(program: Program, requests: readonly SumRequest[]): SummingProgram {
  const wanted = new Map(requests.map((request) => [request.layer, request]));
  const tensors: ProgramTensor[] = [...program.tensors];
  const taps = new Map<string, readonly string[]>();
  const taken = new Set(tensors.map(({ name }) => name));
  const ops = program.ops.flatMap((op) => {
    const request = wanted.get(op.name);
    if (op.op !== 'conv' || request === undefined) return [op];
    const sums = partsOf(op, request.step).map((part, index): ConvOp => {
      const name = freshName(`${op.name}/sum/${index}`, taken);
      tensors.push({ ...tensors[op.output]!, name, dtype: 's32', zeroPoint: 0, scale: 1 });
      return { ...part, name, output: tensors.length - 1 };
    });
    taps.set(
      op.name,
      sums.map(({ name }) => name),
    );
    return [...sums, op];
  });
  return { program: { ...program, tensors, ops }, taps };
}

/**
 * The convolution with its first 1, 2, ... steps of products, the others without effect: their weights
 * are the zero point. A bias that is added last is part of the last sum alone.
 */
function partsOf(op: ConvOp, step: number): ConvOp[] {
  const whole: ConvOp = { ...op, requant: { kind: 'none' }, clamp: int32 };
  const length = op.weights.length / op.bias.length;
  if (step === 0 || step >= length) return [whole];
  const parts = Array.from({ length: Math.ceil(length / step) - 1 }, (_, index): ConvOp => {
    const bias = op.accumulator.biasFirst ? op.bias : new Int32Array(op.bias.length);
    return { ...whole, weights: cut(op, length, (index + 1) * step), bias };
  });
  return [...parts, whole];
}

function cut(op: ConvOp, length: number, count: number): ConvOp['weights'] {
  const weights = op.weights.slice();
  for (let o = 0; o < op.bias.length; o++) {
    const zero = op.weightZeroPoints[op.weightZeroPoints.length === 1 ? 0 : o]!;
    weights.fill(zero, o * length + count, (o + 1) * length);
  }
  return weights;
}

function freshName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  while (taken.has(name)) name = `${name}'`;
  taken.add(name);
  return name;
}

/** Partial sums after one another: [steps, H, W, C] as one array. */
export function stacked(sums: readonly CodeTensor[]): Int32Array {
  const size = sums[0]!.data.length;
  const all = new Int32Array(sums.length * size);
  sums.forEach(({ data }, index) => {
    all.set(data, index * size);
  });
  return all;
}
