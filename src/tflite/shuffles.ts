// SPDX-License-Identifier: Apache-2.0
// Channel shuffles of .tflite files: a RESHAPE to [1,H,W,G,C/G], a TRANSPOSE of the last two axes, a RESHAPE
// back. They are read as one operator that takes channels.
import { shuffledChannels } from '../graph/shuffles.js';
import { codesOf } from './ops/state.js';
import type { TfliteModel, TfliteOperator } from './reader.js';

/** What a shuffle is by its operators. */
export interface Shuffles {
  /** By the last RESHAPE: the tensor that is shuffled, and where each channel comes from. */
  readonly ends: ReadonlyMap<TfliteOperator, ShuffleEnd>;
  /** The operators before it, which then say nothing. */
  readonly inner: ReadonlySet<TfliteOperator>;
}

interface ShuffleEnd {
  readonly input: number;
  readonly picked: readonly number[];
}

export function findShuffles(model: TfliteModel): Shuffles {
  const ends = new Map<TfliteOperator, ShuffleEnd>();
  const inner = new Set<TfliteOperator>();
  for (const first of model.operators) {
    const chain = first.op === 'RESHAPE' ? chainFrom(model, first) : undefined;
    if (chain === undefined) continue;
    const [transpose, last] = chain;
    ends.set(last, { input: first.inputs[0]!, picked: pickedBy(model, first) });
    inner.add(first).add(transpose);
  }
  return { ends, inner };
}

/** The transpose and the last reshape of a shuffle that begins with `first`. */
function chainFrom(
  model: TfliteModel,
  first: TfliteOperator,
): readonly [TfliteOperator, TfliteOperator] | undefined {
  const shapeOf = (index: number | undefined) => model.tensors[index ?? -1]?.shape ?? [];
  const groups = shapeOf(first.outputs[0]);
  const transpose = onlyReader(model, first);
  const last = transpose?.op === 'TRANSPOSE' ? onlyReader(model, transpose) : undefined;
  if (groups.length !== 5 || transpose === undefined || last?.op !== 'RESHAPE') return undefined;
  const order = model.tensors[transpose.inputs[1] ?? -1];
  const swaps = order?.data !== undefined && codesOf(order).join() === '0,1,2,4,3';
  const [before, after] = [shapeOf(first.inputs[0]), shapeOf(last.outputs[0])];
  const joined = [...groups.slice(0, 3), groups[3]! * groups[4]!].join();
  const isShuffle = swaps && before.join() === joined && after.join() === joined;
  return isShuffle ? [transpose, last] : undefined;
}

function onlyReader(
  { operators, outputs }: TfliteModel,
  operator: TfliteOperator,
): TfliteOperator | undefined {
  const [output] = operator.outputs;
  if (output === undefined || outputs.includes(output)) return undefined;
  const readers = operators.filter(({ inputs }) => inputs.includes(output));
  return readers.length === 1 ? readers[0] : undefined;
}

function pickedBy({ tensors }: TfliteModel, first: TfliteOperator): readonly number[] {
  const [rows, columns] = tensors[first.outputs[0]!]!.shape.slice(3) as [number, number];
  return shuffledChannels(rows, columns);
}
