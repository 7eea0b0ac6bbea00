// SPDX-License-Identifier: Apache-2.0
// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR as a graph says them, for both importers and the writer.
import {
  nearestPositions,
  resizeNearest,
  type ResizeCoordinates,
  type Resizing,
} from '../graph/resizing.js';
import type { TfliteOperator } from './reader.js';

type Size = readonly [height: number, width: number];

/** The options of both operators. */
export interface ResizeFlags {
  readonly isAligned: boolean;
  readonly isHalf: boolean;
}

/**
 * How an operator resizes an image; a sentence where no graph says it.
 *
 * ResizeBilinearOptions: align_corners 2, half_pixel_centers 3. ResizeNearestNeighborOptions: 0 and 1.
 */
export function resizingOfOperator(
  { op, options }: TfliteOperator,
  from: Size,
  size: Size,
): Resizing | string {
  const mode = op === 'RESIZE_BILINEAR' ? 'linear' : 'nearest';
  const first = mode === 'linear' ? 2 : 0;
  const isAligned = options?.bool(first) ?? false;
  return resizingOf(mode, { isAligned, isHalf: options?.bool(first + 1) ?? false }, from, size);
}

/** The same by its options. */
export function resizingOf(
  mode: Resizing['mode'],
  { isAligned, isHalf }: ResizeFlags,
  from: Size,
  size: Size,
): Resizing | string {
  const coordinates = isAligned ? 'alignCorners' : isHalf ? 'halfPixel' : 'asymmetric';
  if (mode === 'linear') return { mode, coordinates, nearest: 'preferFloor', size };
  const wanted = from.map((side, axis) => nearestNeighbours(coordinates, side, size[axis]!));
  const nearest = resizeNearest.find((one) =>
    wanted.every((positions, axis) => {
      const stated = nearestPositions({ coordinates, nearest: one }, from[axis]!, size[axis]!);
      return positions.every((position, at) => position === stated[at]);
    }),
  );
  if (nearest !== undefined) return { mode, coordinates, nearest, size };
  return `it copies other rows or columns of ${from.join(' x ')} to ${size.join(' x ')} than any rounding of ONNX's Resize`;
}

const f32 = Math.fround;

/** TFLite's GetNearestNeighbor, in float32. */
function nearestNeighbours(
  coordinates: ResizeCoordinates,
  from: number,
  to: number,
): readonly number[] {
  const isAligned = coordinates === 'alignCorners';
  const scale = isAligned && to > 1 ? f32((from - 1) / (to - 1)) : f32(from / to);
  const offset = coordinates === 'halfPixel' ? 0.5 : 0;
  return Array.from({ length: to }, (_, at) => {
    const place = f32(f32(at + offset) * scale);
    return Math.min(Math.max(isAligned ? Math.floor(place + 0.5) : Math.floor(place), 0), from - 1);
  });
}
