// SPDX-License-Identifier: Apache-2.0
// Resize and its predecessor Upsample, of rows and columns.
import type { Node, Shape } from '../../../graph/graph.js';
import { resizeCoordinates, resizeNearest, type Resizing } from '../../../graph/resizing.js';
import { coordinateWords, nearestWords } from '../../file/resize-words.js';
import type { ImportOp } from '../context.js';
import { Unsupported } from '../problems.js';

/** What of a node says how it resizes. */
export interface ResizeUse {
  readonly opset: number;
  /** An attribute's text, or what stands for an absent one. */
  readonly text: (name: string, absent: string) => string;
  /** An attribute's integer, or what stands for an absent one. */
  readonly int: (name: string, absent: number) => number;
  readonly ints: (name: string) => readonly number[] | undefined;
  /** A constant input; undefined where it is absent or empty. */
  readonly list: (index: number) => readonly number[] | undefined;
}

/** The shape of the result, and how an image gets there. */
interface Resized extends Omit<Resizing, 'size'> {
  readonly shape: Shape;
}

/**
 * Reads Resize (10, 11, 13, 18, 19).
 *
 * @throws Unsupported for what no graph says: cubic interpolation, crops, filters, scales that are no ratio of sizes
 */
export function readResize(use: ResizeUse, from: Shape): Resized {
  const early = use.opset < 11;
  const mode = use.text('mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') throw new Unsupported(`mode "${mode}"`);
  for (const [name, wanted] of [
    ['antialias', 0],
    ['exclude_outside', 0],
  ] as const) {
    const value = use.int(name, wanted);
    if (value !== wanted) throw new Unsupported(`${name} ${value}`);
  }
  const policy = use.text('keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') throw new Unsupported(`keep_aspect_ratio_policy "${policy}"`);
  const transformation = use.text(
    'coordinate_transformation_mode',
    early ? 'asymmetric' : 'half_pixel',
  );
  const rounding = use.text('nearest_mode', early ? 'floor' : 'round_prefer_floor');
  const words = wordsOf(mode, transformation, rounding);
  const [scales, sizes] = early ? [use.list(1), undefined] : [use.list(2), use.list(3)];
  return { mode, ...words, shape: resizedShape(use, from, scales, sizes) };
}

function wordsOf(
  mode: 'nearest' | 'linear',
  transformation: string,
  rounding: string,
): Pick<Resizing, 'coordinates' | 'nearest'> {
  // (x + 0.5) / scale, rounded down, is a half-pixel coordinate rounded half up.
  if (transformation === 'tf_half_pixel_for_nn' && mode === 'nearest' && rounding === 'floor') {
    return { coordinates: 'halfPixel', nearest: 'preferCeil' };
  }
  const coordinates = resizeCoordinates.find((one) => coordinateWords[one] === transformation);
  if (coordinates === undefined) {
    throw new Unsupported(`coordinate_transformation_mode "${transformation}"`);
  }
  if (mode === 'linear') return { coordinates, nearest: 'preferFloor' };
  const nearest = resizeNearest.find((one) => nearestWords[one] === rounding);
  if (nearest === undefined) throw new Unsupported(`nearest_mode "${rounding}"`);
  return { coordinates, nearest };
}

function resizedShape(
  use: ResizeUse,
  from: Shape,
  scales: readonly number[] | undefined,
  sizes: readonly number[] | undefined,
): Shape {
  const stated = sizes ?? scales;
  if (stated === undefined) throw new Unsupported('sizes that are computed at run time');
  const axes = (use.ints('axes') ?? from.map((_, axis) => axis)).map((axis) =>
    axis < 0 ? axis + from.length : axis,
  );
  if (stated.length !== axes.length || axes.some((axis) => !(axis >= 0 && axis < from.length))) {
    throw new Unsupported(`sizes ${stated.join()} of [${from.join()}]`);
  }
  const shape = [...from];
  axes.forEach((axis, i) => {
    const before = from[axis]!;
    const size = sizes === undefined ? Math.floor(before * stated[i]!) : stated[i]!;
    // Coordinates come from the scale; only the ratio of the sizes is one that a graph knows.
    if (sizes === undefined && Math.fround(size / before) !== Math.fround(stated[i]!)) {
      throw new Unsupported(`scale ${stated[i]} of ${before} positions`);
    }
    shape[axis] = size;
  });
  return shape;
}

export const importResize: ImportOp = (context) => {
  const { attributes, opset } = context;
  attributes.ignore('cubic_coeff_a', 'extrapolation_value');
  const shape = context.shape(0);
  const resized = readResize(
    {
      opset,
      text: (name, absent) => attributes.text(name, absent),
      int: (name, absent) => attributes.int(name, absent),
      ints: (name) => attributes.ints(name),
      list: (index) => nonEmpty(context.integers(index, 'sizes')),
    },
    shape,
  );
  return resizing(context, shape, resized);
};

/** Upsample (7, 9): scales as an attribute or an input. */
export const importUpsample: ImportOp = (context) => {
  const { attributes } = context;
  const scales = attributes.floats('scales');
  const shape = context.shape(0);
  const resized = readResize(
    {
      opset: 10,
      text: (name, absent) => attributes.text(name, absent),
      int: (name, absent) => attributes.int(name, absent),
      ints: () => undefined,
      list: (index) => scales ?? nonEmpty(context.integers(index, 'scales')),
    },
    shape,
  );
  return resizing(context, shape, resized);
};

function nonEmpty(list: readonly number[] | undefined): readonly number[] | undefined {
  return list?.length === 0 ? undefined : list;
}

/** The node, between transposes where the file's image has its channels last. */
function resizing(
  context: Parameters<ImportOp>[0],
  from: Shape,
  { mode, coordinates, nearest, shape }: Resized,
): Node | Node[] {
  const input = context.input(0);
  const changed = shape.flatMap((size, axis) => (size === from[axis] ? [] : [axis]));
  if (changed.length === 0) return { ...context.base([input]), op: 'Identity' };
  const isLast = changed.every((axis) => axis === 1 || axis === 2);
  if (from.length !== 4 || (!isLast && !changed.every((axis) => axis > 1))) {
    throw new Unsupported(`[${from.join()}] to [${shape.join()}], not of rows and columns`);
  }
  const how = { op: 'Resize', mode, coordinates, nearest } as const;
  if (!changed.includes(1)) {
    return { ...context.base([input]), ...how, size: [shape[2]!, shape[3]!] };
  }
  const [image, resized] = [
    context.fresh(`${context.name}/nchw`),
    context.fresh(`${context.name}/resized`),
  ];
  return [
    { op: 'Transpose', name: image, inputs: [input], outputs: [image], perm: [0, 3, 1, 2] },
    {
      ...how,
      name: context.name,
      inputs: [image],
      outputs: [resized],
      size: [shape[1]!, shape[2]!],
    },
    {
      op: 'Transpose',
      name: context.fresh(`${context.name}/nhwc`),
      inputs: [resized],
      outputs: [context.output],
      perm: [0, 2, 3, 1],
    },
  ];
}
