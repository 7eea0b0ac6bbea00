// SPDX-License-Identifier: Apache-2.0
// How ONNX's Resize spells what a graph's says.
import type { ResizeCoordinates, ResizeNearest, Resizing } from '../../graph/resizing.js';
import { attribute } from './builder.js';
import type { OnnxAttribute } from './model.js';

/** coordinate_transformation_mode. */
export const coordinateWords: Readonly<Record<ResizeCoordinates, string>> = {
  halfPixel: 'half_pixel',
  pytorchHalfPixel: 'pytorch_half_pixel',
  asymmetric: 'asymmetric',
  alignCorners: 'align_corners',
};

/** nearest_mode. */
export const nearestWords: Readonly<Record<ResizeNearest, string>> = {
  preferFloor: 'round_prefer_floor',
  preferCeil: 'round_prefer_ceil',
  floor: 'floor',
  ceil: 'ceil',
};

/** The attributes of a Resize node. */
export function resizeAttributes({
  mode,
  coordinates,
  nearest,
}: Resizing): Readonly<Record<string, OnnxAttribute>> {
  return {
    mode: attribute.text(mode),
    coordinate_transformation_mode: attribute.text(coordinateWords[coordinates]),
    ...(mode === 'nearest' ? { nearest_mode: attribute.text(nearestWords[nearest]) } : {}),
  };
}
