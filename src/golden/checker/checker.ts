// SPDX-License-Identifier: Apache-2.0
// What a checker of one layer knows, and the files that it reads.
import type { Codes } from '../../numeric/code-types.js';
import type { CodeTensor } from '../../program/executor.js';
import type { ConvOp, Op, Program } from '../../program/program.js';
import type { Layouts } from '../layout.js';
import { hexWords } from '../words.js';
import { causesOf, type Cause } from './causes.js';
import { layerNumbers } from './layer-numbers.js';
import { streamOf, type Stream } from './stream.js';

/** Languages in which checkers are written. */
export const checkerKinds = ['sv', 'cocotb'] as const;

export type CheckerKind = (typeof checkerKinds)[number];

/** One layer's output as a stream of numbers, with the faults that could spoil it. */
export interface LayerCheck {
  readonly layer: string;
  readonly target: string;
  /** How sums become codes, in words; '' where they do not. */
  readonly requant: string;
  readonly dtype: CodeTensor['dtype'];
  readonly bits: number;
  readonly stream: Stream;
  /** In the order of the stream. */
  readonly expected: Int32Array;
  /** In the same order; undefined for layers without sums. */
  readonly accumulators: Int32Array | undefined;
  readonly causes: readonly Cause[];
}

const bitsOf = { u8: 8, s8: 8, s16: 16, s32: 32 } as const;

/** @param sums the layer's accumulators, NHWC, where it has such */
export function layerCheck(
  program: Program,
  op: Op,
  inputs: readonly CodeTensor[],
  output: CodeTensor,
  sums: Codes | undefined,
  layouts: Layouts,
): LayerCheck {
  const { height, width, channels, data, dtype, zeroPoint } = output;
  const stream = streamOf([1, height, width, channels], layouts);
  const ordered = (values: ArrayLike<number>, filler: number): Int32Array =>
    Int32Array.from({ length: stream.length }, (_, at) => {
      const index = stream.indexOf(at);
      return index < 0 ? filler : values[index]!;
    });
  return {
    ...{ layer: op.name, target: program.target, dtype, bits: bitsOf[dtype], stream },
    requant: op.op === 'conv' ? requantizationInWords(op) : '',
    expected: ordered(data, zeroPoint),
    accumulators: sums && ordered(sums, 0),
    causes:
      op.op === 'conv' && sums
        ? causesOf(layerNumbers(program, op, inputs[0]!, output, sums), stream)
        : [],
  };
}

/** How the sums of a convolution become codes. */
export function requantizationInWords({ requant, accumulator }: ConvOp): string {
  const sum = `${accumulator.bits}-bit accumulator`;
  const after = '+ zero point, clamped';
  if (requant.kind === 'none') return sum;
  if (requant.kind === 'fixed')
    return `${sum}, (sum x multiplier) >> shift, rounded by ${requant.rule}, ${after}`;
  if (requant.kind === 'shift') return `${sum}, sum >> shift, rounded by ${requant.rule}, ${after}`;
  return `${sum}, requantized by ${requant.kind} (program/NOTES.md), ${after}`;
}

/** The memories of a checker, one number a line, in the order of the stream. */
export function checkerMemories(check: LayerCheck): ReadonlyMap<string, string> {
  const mem = (values: Int32Array, width: number): string =>
    hexWords(values, { width, wordBits: width, laneOrder: 'low-first' }, check.layer);
  const files = new Map([['expected.mem', mem(check.expected, 32)]]);
  if (check.accumulators) files.set('accumulators.mem', mem(check.accumulators, 32));
  return files;
}
