// SPDX-License-Identifier: Apache-2.0
import { windowOutput, type WindowShape } from '../window.js';
import { maxSide, requireShape, type Context } from './place.js';

export function checkWindow(window: WindowShape, { place }: Context): void {
  const { kernel, strides, dilations = [1, 1], pads } = window;
  place.integers(
    [...kernel, ...strides, ...dilations],
    [1, maxSide],
    'kernel, strides and dilations',
  );
  place.integers(pads, [0, maxSide], 'pads');
}

export function checkPoolWindow(window: WindowShape, context: Context): void {
  const { input, output, place } = context;
  checkWindow(window, context);
  requireShape(context, ...windowOutput(window, input.height, input.width), input.channels);
  const holdsPixel = (axis: 0 | 1, count: number, extent: number): boolean =>
    window.pads[axis] < window.kernel[axis] &&
    (count - 1) * window.strides[axis] - window.pads[axis] < extent;
  place.require(
    holdsPixel(0, output.height, input.height) && holdsPixel(1, output.width, input.width),
    () => 'has a window that holds no pixel',
  );
}
