// SPDX-License-Identifier: Apache-2.0
import { codeLimits } from '../numeric/code-types.js';
import { entry } from '../program/per-channel.js';
import type { Op, Program, ProgramTensor } from '../program/program.js';

/** The codes that each channel of a tensor can hold, both ends included. */
export interface Interval {
  readonly lo: Int32Array;
  readonly hi: Int32Array;
}

/**
 * The codes that each tensor's channels can hold whatever the image: its type, narrowed by the clamp of the operation that
 * writes it and handed on by operations that copy codes. Sound, and not always tight: a clamped range that no image
 * fills stays as it is.
 *
 * @returns by index of the tensor
 */
export function codeIntervals({ tensors, ops }: Program): readonly Interval[] {
  const intervals = tensors.map(wholeType);
  for (const op of ops) intervals[op.output] = written(op, tensors, intervals);
  return intervals;
}

function wholeType({ dtype, channels }: ProgramTensor): Interval {
  const [least, greatest] = codeLimits(dtype);
  return {
    lo: new Int32Array(channels).fill(least),
    hi: new Int32Array(channels).fill(greatest),
  };
}

function written(
  op: Op,
  tensors: readonly ProgramTensor[],
  intervals: readonly Interval[],
): Interval {
  const output = tensors[op.output]!;
  const [first] = op.inputs.map((index) => intervals[index]!);
  switch (op.op) {
    case 'conv':
    case 'add':
    case 'mul':
    case 'averagePool':
      return clamped(output.channels, op.clamp.lo, op.clamp.hi);
    case 'maxPool':
      return intersected(first!, clamped(output.channels, op.clamp.lo, op.clamp.hi));
    case 'concat':
      return joined(op.inputs.map((index) => intervals[index]!));
    case 'pad':
      return withCode(first!, output.zeroPoint);
    case 'reshape':
      return spread(first!, output.channels);
    case 'splice':
      return hullOf(first!, intervals[op.inputs[1]!]!);
    case 'lut':
      return answered(op.table, tensors[op.inputs[0]!]!, first!);
    case 'resize':
      return op.form.kind === 'integer' ? first! : wholeType(output);
    case 'softmax':
      return wholeType(output);
  }
}

function clamped(channels: number, lo: Int32Array, hi: Int32Array): Interval {
  const each = (array: Int32Array) =>
    Int32Array.from({ length: channels }, (_, c) => entry(array, c));
  return { lo: each(lo), hi: each(hi) };
}

/** Both; where they have nothing in common the clamp moves every code to its nearer end. */
function intersected(codes: Interval, clamp: Interval): Interval {
  const within = (values: Int32Array) =>
    values.map((code, c) => Math.min(Math.max(code, clamp.lo[c]!), clamp.hi[c]!));
  return { lo: within(codes.lo), hi: within(codes.hi) };
}

function joined(parts: readonly Interval[]): Interval {
  return {
    lo: Int32Array.from(parts.flatMap(({ lo }) => [...lo])),
    hi: Int32Array.from(parts.flatMap(({ hi }) => [...hi])),
  };
}

function withCode({ lo, hi }: Interval, code: number): Interval {
  return { lo: lo.map((low) => Math.min(low, code)), hi: hi.map((high) => Math.max(high, code)) };
}

function hullOf(a: Interval, b: Interval): Interval {
  return {
    lo: a.lo.map((low, c) => Math.min(low, b.lo[c]!)),
    hi: a.hi.map((high, c) => Math.max(high, b.hi[c]!)),
  };
}

/** Another shape mixes channels. */
function spread({ lo, hi }: Interval, channels: number): Interval {
  return {
    lo: new Int32Array(channels).fill(lo.reduce((a, b) => Math.min(a, b))),
    hi: new Int32Array(channels).fill(hi.reduce((a, b) => Math.max(a, b))),
  };
}

/** Least and greatest answer of a table to an interval of codes. */
function answered(table: Int32Array, input: ProgramTensor, { lo, hi }: Interval): Interval {
  const [least] = codeLimits(input.dtype);
  const answers = (c: number) => table.subarray(lo[c]! - least, hi[c]! - least + 1);
  return {
    lo: lo.map((_, c) => answers(c).reduce((a, b) => Math.min(a, b))),
    hi: hi.map((_, c) => answers(c).reduce((a, b) => Math.max(a, b))),
  };
}
