// SPDX-License-Identifier: Apache-2.0
// Kernel, strides, pads and dilations: the attributes that Conv and the pools share.
import type { Pads, Pair, Shape, Window } from '../../../graph/graph.js';
import { windowSize } from '../../../graph/shapes.js';
import type { NodeContext } from '../context.js';
import { Unsupported } from '../problems.js';

export interface DilatedWindow {
  readonly window: Window;
  readonly dilations: Pair;
  /** Rows and columns that rounding up added to the bottom and right pads. */
  readonly ceilPads: Pair;
}

/**
 * @param kernel used when `kernel_shape` is absent (a convolution's weights say it too)
 */
export function readWindow(context: NodeContext, kernel?: readonly number[]): DilatedWindow {
  const { attributes } = context;
  const x = context.shape(0);
  if (x.length !== 4) throw new Unsupported(`input of rank ${x.length}; images are [1,C,H,W]`);
  const size = pair(attributes.ints('kernel_shape') ?? kernel, undefined, 'kernel_shape');
  const strides = pair(attributes.ints('strides'), [1, 1], 'strides');
  const dilations = pair(attributes.ints('dilations'), [1, 1], 'dilations');
  const pads = readPads(context, x, size, strides, dilations);
  const ceilPads: Pair = attributes.flag('ceil_mode', false)
    ? [
        ceilPad(x[2]!, size[0], strides[0], pads[0], pads[2], dilations[0]),
        ceilPad(x[3]!, size[1], strides[1], pads[1], pads[3], dilations[1]),
      ]
    : [0, 0];
  return {
    window: {
      kernel: size,
      strides,
      pads: [pads[0], pads[1], pads[2] + ceilPads[0], pads[3] + ceilPads[1]],
    },
    dilations,
    ceilPads,
  };
}

function pair(values: readonly number[] | undefined, absent: Pair | undefined, what: string): Pair {
  if (values === undefined && absent !== undefined) return absent;
  const [height, width] = values ?? [];
  if (height === undefined || width === undefined || values?.length !== 2) {
    throw new Unsupported(`${what} [${values?.join() ?? ''}]; two numbers are supported`);
  }
  if (height < 1 || width < 1) throw new Unsupported(`${what} [${height},${width}]`);
  return [height, width];
}

function readPads(
  context: NodeContext,
  x: Shape,
  kernel: Pair,
  strides: Pair,
  dilations: Pair,
): Pads {
  const mode = context.attributes.text('auto_pad', 'NOTSET');
  const stated = context.attributes.ints('pads') ?? [0, 0, 0, 0];
  switch (mode) {
    case 'NOTSET': {
      const [top, left, bottom, right] = stated;
      const sized = stated.length === 4 && stated.every((pad) => pad >= 0);
      if (!sized) throw new Unsupported(`pads [${stated.join()}]`);
      return [top!, left!, bottom!, right!];
    }
    case 'VALID':
      return [0, 0, 0, 0];
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const rows = samePads(x[2]!, kernel[0], strides[0], dilations[0], mode);
      const columns = samePads(x[3]!, kernel[1], strides[1], dilations[1], mode);
      return [rows[0], columns[0], rows[1], columns[1]];
    }
    default:
      throw new Unsupported(`auto_pad "${mode}"`);
  }
}

/** Pads that make the output ceil(size / stride) long; the odd one goes to the named side. */
function samePads(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  mode: 'SAME_UPPER' | 'SAME_LOWER',
): Pair {
  const output = Math.ceil(size / stride);
  const total = Math.max(0, (output - 1) * stride + dilation * (kernel - 1) + 1 - size);
  const less = Math.floor(total / 2);
  return mode === 'SAME_UPPER' ? [less, total - less] : [total - less, less];
}

/** How much bottom padding turns the floor form of the output size into `ceil_mode`. */
function ceilPad(
  size: number,
  kernel: number,
  stride: number,
  before: number,
  after: number,
  dilation: number,
): number {
  const reach = dilation * (kernel - 1) + 1;
  const floor = windowSize(size, kernel, stride, before, after, dilation);
  let output = Math.ceil((size + before + after - reach) / stride) + 1;
  // A window that starts beyond the input and its leading pad does not count.
  if ((output - 1) * stride >= size + before) output -= 1;
  return output <= floor ? 0 : (output - 1) * stride + reach - (size + before + after);
}
