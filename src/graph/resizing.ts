// SPDX-License-Identifier: Apache-2.0
// Where the rows and columns of a resized image lie in the image that it is made from: ONNX's Resize, in
// float32 as onnxruntime computes it.

/** Where the centre of a row or column lies in the input; ONNX's coordinate_transformation_mode. */
export const resizeCoordinates = [
  'halfPixel',
  'pytorchHalfPixel',
  'asymmetric',
  'alignCorners',
] as const;
export type ResizeCoordinates = (typeof resizeCoordinates)[number];

/** Which of its neighbours a coordinate between them takes; ONNX's nearest_mode. */
export const resizeNearest = ['preferFloor', 'preferCeil', 'floor', 'ceil'] as const;
export type ResizeNearest = (typeof resizeNearest)[number];

/** How an image is brought to another height and width. */
export interface Resizing {
  readonly mode: 'nearest' | 'linear';
  readonly coordinates: ResizeCoordinates;
  /** Of mode `nearest`; `preferFloor` where the mode is `linear`. */
  readonly nearest: ResizeNearest;
  /** Height and width of the result. */
  readonly size: readonly [height: number, width: number];
}

/** The fields of a node that say how it resizes. */
export function resizingOf({ mode, coordinates, nearest, size }: Resizing): Resizing {
  return { mode, coordinates, nearest, size };
}

const f32 = Math.fround;

/** The coordinates in `from` rows (or columns) of each of `to`; not yet kept within them. */
export function sourceCoordinates(
  coordinates: ResizeCoordinates,
  from: number,
  to: number,
): Float32Array {
  const scale = f32(to / from);
  const halfPixel = (at: number): number => f32(f32(f32(at + 0.5) / scale) - 0.5);
  return Float32Array.from({ length: to }, (_, at) => {
    if (from === to) return at;
    switch (coordinates) {
      case 'halfPixel':
        return halfPixel(at);
      case 'pytorchHalfPixel':
        return to > 1 ? halfPixel(at) : 0;
      case 'asymmetric':
        return f32(at / scale);
      case 'alignCorners':
        return to > 1 ? f32(f32(at * (from - 1)) / f32(to - 1)) : 0;
    }
  });
}

/** The row (or column) of `from` that each of `to` is a copy of. */
export function nearestPositions(
  { coordinates, nearest }: Pick<Resizing, 'coordinates' | 'nearest'>,
  from: number,
  to: number,
): Int32Array {
  const nearestTo = (x: number): number => {
    switch (nearest) {
      case 'floor':
        return Math.floor(x);
      case 'ceil':
        return Math.ceil(x);
      case 'preferFloor':
        return Math.ceil(x - 0.5);
      case 'preferCeil':
        return Math.floor(x + 0.5);
    }
  };
  const reals = sourceCoordinates(coordinates, from, to);
  return Int32Array.from(reals, (x) => Math.min(Math.max(nearestTo(x), 0), from - 1));
}
