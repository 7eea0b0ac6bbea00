// SPDX-License-Identifier: Apache-2.0
// A tensor that someone else's device or simulation wrote, against the codes of a target.
import type { CodeTensor } from '../program/executor.js';

/** A dump as it was read; numbers in the order of the file. */
export interface Dump {
  /** Without batch; undefined where the file does not say. */
  readonly shape: readonly number[] | undefined;
  readonly dtype: string;
  readonly values: ArrayLike<number>;
}

/** `NCHW16c`: channels in tiles of 16, the last one filled up. */
type DumpLayout = 'NHWC' | 'NCHW' | `NCHW${number}c`;

/** Tiles of channels that accelerators use. */
const tiles = [4, 8, 16, 32, 64] as const;

interface DumpPosition {
  readonly y: number;
  readonly x: number;
  readonly channel: number;
  readonly expected: number;
  readonly got: number;
}

export interface DumpMatch {
  readonly elements: number;
  readonly differing: number;
  readonly maxLsb: number;
  readonly layout: DumpLayout;
  /** Whether the shape decided the layout, or the number of equal codes. */
  readonly layoutFrom: 'shape' | 'values' | 'either';
  /** What the numbers are: codes, or reals that were divided by the scale. */
  readonly read: 'codes' | 'reals';
  readonly positions: readonly DumpPosition[];
  /** What the differences look like. */
  readonly hints: readonly string[];
}

const shownPositions = 5;

/** A dump beside the target's codes, and its own codes in their order, NHWC. */
export interface MatchedDump {
  readonly match: DumpMatch;
  readonly codes: ArrayLike<number>;
}

/**
 * @returns undefined where the dump has another number of elements than the tensor, with or without tiles of
 *   channels that are filled up
 */
export function matchDump(dump: Dump, tensor: CodeTensor): MatchedDump | undefined {
  const plain = dump.values.length === tensor.data.length ? matchWhole(dump, tensor) : undefined;
  const tiled = tiles
    .filter((tile) => dump.values.length === tiledLength(tensor, tile))
    .map((tile) => matchTiled(dump, tensor, tile));
  const all = [...(plain === undefined ? [] : [plain]), ...tiled];
  // Of equally good readings the plainest.
  return all.sort((a, b) => a.match.differing - b.match.differing)[0];
}

/** How many numbers a dump of the tensor may hold: its own, or those with filled tiles of channels. */
export function dumpLengths(tensor: CodeTensor): readonly number[] {
  const tiled = tiles.map((tile) => tiledLength(tensor, tile)).filter((length) => length > 0);
  return [...new Set([tensor.data.length, ...tiled])];
}

function tiledLength({ height, width, channels }: CodeTensor, tile: number): number {
  // One tile, or tiles of one channel, is no tiling.
  return channels === tile ? -1 : Math.ceil(channels / tile) * tile * height * width;
}

/** As if the tiles were put together to NHWC before. */
function matchTiled(dump: Dump, tensor: CodeTensor, tile: number): MatchedDump {
  const { height, width, channels, data } = tensor;
  const pixels = height * width;
  const values = new Float64Array(data.length);
  for (let pixel = 0, at = 0; pixel < pixels; pixel++) {
    for (let c = 0; c < channels; c++, at++) {
      const from = (Math.floor(c / tile) * pixels + pixel) * tile + (c % tile);
      values[at] = dump.values[from]!;
    }
  }
  const shape = [height, width, channels];
  const { match, codes } = matchWhole({ ...dump, shape, values }, tensor);
  return { match: { ...match, layout: `NCHW${tile}c`, layoutFrom: 'values' }, codes };
}

function matchWhole(dump: Dump, tensor: CodeTensor): MatchedDump {
  const read = readingOf(dump, tensor);
  const codes = read === 'reals' ? toCodes(dump.values, tensor) : dump.values;
  const { layout, from } = layoutOf(dump, tensor, codes);
  const ordered = layout === 'NHWC' ? codes : fromNchw(codes, tensor);
  const differing = countDifferent(ordered, tensor.data);
  const match: DumpMatch = {
    elements: tensor.data.length,
    differing,
    maxLsb: largest(ordered, tensor.data),
    layout,
    layoutFrom: from,
    read,
    positions: positionsOf(ordered, tensor),
    hints: differing === 0 ? [] : hintsOf(ordered, tensor),
  };
  return { match, codes: ordered };
}

/**
 * Floating-point numbers are reals where all of them are a multiple of the scale (to a thousandth
 * of it), unless as codes they already agree better.
 */
function readingOf({ dtype, values }: Dump, tensor: CodeTensor): 'codes' | 'reals' {
  if (!dtype.startsWith('f')) return 'codes';
  const whole = Array.from(values).every(Number.isInteger);
  if (!whole) return 'reals';
  const asReals = toCodes(values, tensor);
  return sameMany(values, tensor) >= sameMany(asReals, tensor) ? 'codes' : 'reals';
}

/** In the better of both layouts. */
function sameMany(codes: ArrayLike<number>, tensor: CodeTensor): number {
  const { data } = tensor;
  const other = countDifferent(fromNchw(codes, tensor), data);
  return data.length - Math.min(countDifferent(codes, data), other);
}

/** code = real / scale + zero point; rounded only where it is as good as whole. */
function toCodes(values: ArrayLike<number>, { scale, zeroPoint }: CodeTensor): Float64Array {
  return Float64Array.from(values, (real) => {
    const code = real / scale + zeroPoint;
    const nearest = Math.round(code);
    return Math.abs(code - nearest) < 1e-3 ? nearest : code;
  });
}

function layoutOf(
  { shape }: Dump,
  tensor: CodeTensor,
  codes: ArrayLike<number>,
): { layout: 'NHWC' | 'NCHW'; from: DumpMatch['layoutFrom'] } {
  const { height, width, channels, data } = tensor;
  if (channels === 1 || height * width === 1) return { layout: 'NHWC', from: 'either' };
  const sides = String(shape);
  const fits = { NHWC: [height, width, channels], NCHW: [channels, height, width] };
  const nhwc = sides === String(fits.NHWC);
  const nchw = sides === String(fits.NCHW);
  if (nhwc !== nchw) return { layout: nhwc ? 'NHWC' : 'NCHW', from: 'shape' };
  const swapped = countDifferent(fromNchw(codes, tensor), data);
  return { layout: swapped < countDifferent(codes, data) ? 'NCHW' : 'NHWC', from: 'values' };
}

function fromNchw(codes: ArrayLike<number>, { height, width, channels }: CodeTensor): Float64Array {
  const area = height * width;
  const ordered = new Float64Array(codes.length);
  for (let i = 0, at = 0; i < area; i++) {
    for (let c = 0; c < channels; c++, at++) ordered[at] = codes[c * area + i]!;
  }
  return ordered;
}

function countDifferent(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) count++;
  return count;
}

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < b.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

function positionsOf(codes: ArrayLike<number>, tensor: CodeTensor): DumpPosition[] {
  const { width, channels, data } = tensor;
  const found: DumpPosition[] = [];
  for (let i = 0; i < data.length && found.length < shownPositions; i++) {
    if (codes[i] === data[i]) continue;
    const pixel = Math.floor(i / channels);
    found.push({
      y: Math.floor(pixel / width),
      x: pixel % width,
      channel: i % channels,
      expected: data[i]!,
      got: codes[i]!,
    });
  }
  return found;
}

function hintsOf(codes: ArrayLike<number>, tensor: CodeTensor): string[] {
  const { data, zeroPoint, height, width } = tensor;
  const differing = countDifferent(codes, data);
  const hints: string[] = [];
  const offset = constantOffset(codes, data);
  if (offset !== undefined) {
    const why =
      offset === -zeroPoint
        ? ': the zero point was subtracted'
        : Math.abs(offset) === 128
          ? ': signed against unsigned codes, the zero point is shifted by 128'
          : ': another zero point';
    hints.push(`all codes are off by ${offset > 0 ? '+' : ''}${offset}${why}`);
  }
  const better = (other: ArrayLike<number>): boolean => countDifferent(other, data) < differing / 2;
  if (height > 1 && width > 1 && better(transposed(codes, tensor))) {
    hints.push('height and width are swapped: fewer codes differ when the image is transposed');
  }
  if (better(fromNchw(codes, tensor))) {
    hints.push('the numbers are in NCHW order, whatever the shape says');
  }
  const [lowest, highest] = rangeOf(data);
  if (
    onlyWhere(
      codes,
      data,
      (code, own) => (code < lowest || code > highest) && (own === lowest || own === highest),
    )
  ) {
    hints.push(`only codes beyond [${lowest}, ${highest}] differ: a clamp is missing or wider`);
  }
  if (onlyWhere(codes, data, (code, own) => Math.abs(code - own) <= 1)) {
    hints.push('differences of 1: a rounding; lastbit diff with other targets names the rule');
  }
  if (Array.from(codes).every((code) => code === codes[0])) {
    hints.push('the dump is constant');
  }
  return hints;
}

function constantOffset(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  const offset = a[0]! - b[0]!;
  if (offset === 0) return undefined;
  for (let i = 1; i < b.length; i++) if (a[i]! - b[i]! !== offset) return undefined;
  return offset;
}

/** As if the file were written column after column. */
function transposed(
  codes: ArrayLike<number>,
  { height, width, channels }: CodeTensor,
): Float64Array {
  const ordered = new Float64Array(codes.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        ordered[(y * width + x) * channels + c] = codes[(x * height + y) * channels + c]!;
      }
    }
  }
  return ordered;
}

function rangeOf(data: CodeTensor['data']): [number, number] {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const code of data) {
    lowest = Math.min(lowest, code);
    highest = Math.max(highest, code);
  }
  return [lowest, highest];
}

function onlyWhere(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  holds: (code: number, own: number) => boolean,
): boolean {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i] && !holds(a[i]!, b[i]!)) return false;
  return true;
}
