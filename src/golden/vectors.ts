// SPDX-License-Identifier: Apache-2.0
// What one image makes of a layer: its inputs, sums and output as arrays.
import { bitsOfType } from '../numeric/code-types.js';
import type { CodeTensor } from '../program/executor.js';
import type { Op, Program } from '../program/program.js';
import type { GoldenArray, Role } from './array.js';
import { stacked, type SummingProgram } from './sums.js';

/** An array that belongs to one image, and the tensor of the network that it is. */
export interface ImageArray extends GoldenArray {
  readonly tensor: string;
}

/** Codes of all tensors of one image by name, the network's input among them. */
export type Taps = ReadonlyMap<string, CodeTensor>;

/** The arrays of one layer and one image, in the order in which a layer needs them. */
export function imageArrays(
  program: Program,
  op: Op,
  taps: Taps,
  sums: SummingProgram['taps'],
): readonly ImageArray[] {
  const tensorOf = (index: number): CodeTensor => taps.get(program.tensors[index]!.name)!;
  const inputs = op.inputs.map((index, i) =>
    codes('input', op.inputs.length === 1 ? 'input' : `input-${i}`, tensorOf(index)),
  );
  return [...inputs, ...sumArrays(op, taps, sums), codes('output', 'output', tensorOf(op.output))];
}

function codes(role: Role, name: string, tensor: CodeTensor): ImageArray {
  const { dtype, height, width, channels, data, scale, zeroPoint } = tensor;
  return {
    ...{ role, name, tensor: tensor.name, dtype, axes: 'NHWC' },
    ...{ shape: [1, height, width, channels], data, filler: zeroPoint },
    ...{ bits: bitsOfType[dtype], scale, zeroPoint },
  };
}

function sumArrays(op: Op, taps: Taps, sums: SummingProgram['taps']): ImageArray[] {
  const names = sums.get(op.name);
  if (op.op !== 'conv' || names === undefined) return [];
  const all = names.map((name) => taps.get(name)!);
  const whole = all.at(-1)!;
  const bits = Math.min(op.accumulator.bits, 32);
  const shape = [1, whole.height, whole.width, whole.channels];
  const shared = { dtype: 's32', filler: 0, bits, tensor: op.name } as const;
  const accumulators: ImageArray = {
    ...{ ...shared, role: 'accumulators', name: 'accumulators', axes: 'NHWC', shape },
    data: whole.data,
  };
  if (all.length === 1) return [accumulators];
  const partial: ImageArray = {
    ...{ ...shared, role: 'partial-sums', name: 'partial-sums', axes: 'KNHWC' },
    shape: [all.length, ...shape],
    data: stacked(all),
  };
  return [partial, accumulators];
}
