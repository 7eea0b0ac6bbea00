// SPDX-License-Identifier: Apache-2.0
// Kernels that compute whole vectors of codes in one way and what is left in another.
import type { QuantNode, QuantValue } from '../../graph/quant-graph.js';
import type { Op } from '../program.js';
import { imageOf, type LoweringState } from './state.js';

/** Of each run of `period` codes in NHWC order, those from `from` on are left over. */
export interface Runs {
  readonly period: number;
  readonly from: number;
}

/** Vectors of `width` codes over all channels of a pixel. */
export function channelRuns(value: QuantValue, width: number): Runs {
  const { channels } = imageOf(value)!;
  return { period: channels, from: channels - (channels % width) };
}

/** Vectors of `width` codes over the whole image. */
export function imageRuns(value: QuantValue, width: number): Runs {
  const { height, width: columns, channels } = imageOf(value)!;
  const period = height * columns * channels;
  return { period, from: period - (period % width) };
}

/**
 * Writes a node's value by the operation of whole vectors, by that of the rest, or by both.
 *
 * @param operation makes one, with this name and output tensor; `whole` tells which
 */
export function writeInVectors(
  state: LoweringState,
  node: QuantNode,
  { period, from }: Runs,
  operation: (whole: boolean, name: string, output: number) => Op,
): void {
  const { name } = node;
  if (from === 0 || from === period) {
    state.ops.push(operation(from === period, name, state.write(node.output)));
    return;
  }
  const value = state.value(node.output);
  const parts = [true, false].map((whole) => {
    const part = `${name}/${whole ? 'vectors' : 'rest'}`;
    const output = state.append(value, part);
    state.ops.push(operation(whole, part, output));
    return output;
  });
  const output = state.write(node.output);
  state.ops.push({ op: 'splice', name, inputs: parts, output, period, from });
}
