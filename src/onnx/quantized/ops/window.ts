// SPDX-License-Identifier: Apache-2.0
import type { Pads, Pair, Shape, Window } from '../../../graph/graph.js';
import { samePadding, windowPositions } from '../../../graph/window.js';
import type { OnnxNode } from '../../file/model.js';
import { intOf, intsOf, stringOf } from '../attributes.js';
import type { ImportState } from '../state.js';

/** A 2-dimensional window with its dilations. */
export interface DilatedWindow extends Window {
  readonly dilations: Pair;
}

/**
 * Reads the window attributes of a convolution or pool over `input`.
 *
 * @param kernel where the attribute may be absent (convolutions)
 * @returns undefined where they do not fit, which is reported
 */
export function readWindow(
  state: ImportState,
  node: OnnxNode,
  input: Shape,
  kernel?: Pair,
): DilatedWindow | undefined {
  if (input.length !== 4) {
    state.fail(node, 'unsupported-shape', `expected an image [1,C,H,W], got [${input.join(', ')}]`);
    return undefined;
  }
  const size = intsOf(node, 'kernel_shape') ?? kernel;
  const strides = intsOf(node, 'strides') ?? [1, 1];
  const dilations = intsOf(node, 'dilations') ?? [1, 1];
  if (!isPair(size) || !isPair(strides) || !isPair(dilations)) {
    state.fail(node, 'bad-window', 'expected two positive kernel sizes, strides and dilations');
    return undefined;
  }
  const pads = readPads(node, input, size, strides, dilations);
  if (pads === undefined) {
    state.fail(node, 'bad-window', 'expected four pads of 0 or more');
    return undefined;
  }
  const window = { kernel: size, strides, dilations, pads };
  if (!ceilAgrees(node, input, window)) {
    state.fail(
      node,
      'unsupported-window',
      'ceil_mode adds a row or column beyond the padding; export with explicit pads',
    );
    return undefined;
  }
  return window;
}

function isPair(values: readonly number[] | undefined): values is Pair {
  return values?.length === 2 && values.every((v) => Number.isInteger(v) && v > 0);
}

function readPads(
  node: OnnxNode,
  input: Shape,
  kernel: Pair,
  strides: Pair,
  dilations: Pair,
): Pads | undefined {
  const auto = stringOf(node, 'auto_pad', 'NOTSET');
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const [rows, columns] = ([0, 1] as const).map((a) => {
      const [less, more] = samePadding(input[a + 2]!, kernel[a], strides[a], dilations[a]);
      return auto === 'SAME_UPPER' ? [less, more] : [more, less];
    }) as [[number, number], [number, number]];
    return [rows[0], columns[0], rows[1], columns[1]];
  }
  const pads = auto === 'VALID' ? [0, 0, 0, 0] : (intsOf(node, 'pads') ?? [0, 0, 0, 0]);
  const good = pads.length === 4 && pads.every((p) => Number.isInteger(p) && p >= 0);
  return good ? (pads as unknown as Pads) : undefined;
}

/** Output height and width, or undefined where the window does not fit. */
export function positions(input: Shape, window: DilatedWindow): Pair | undefined {
  const [height, width] = ([0, 1] as const).map((a) =>
    windowPositions(
      input[a + 2]!,
      window.kernel[a],
      window.strides[a],
      window.dilations[a],
      window.pads[a],
      window.pads[a + 2]!,
    ),
  ) as [number, number];
  return height > 0 && width > 0 ? [height, width] : undefined;
}

function ceilAgrees(node: OnnxNode, input: Shape, window: DilatedWindow): boolean {
  if (intOf(node, 'ceil_mode', 0) === 0) return true;
  return ([0, 1] as const).every((a) => {
    const extent = (window.kernel[a] - 1) * window.dilations[a] + 1;
    const padded = input[a + 2]! + window.pads[a] + window.pads[a + 2]!;
    return (padded - extent) % window.strides[a] === 0;
  });
}
