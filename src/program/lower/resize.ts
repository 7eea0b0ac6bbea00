// SPDX-License-Identifier: Apache-2.0
// Images of another height and width: where each code lies in the input, and what its neighbours count.
import type { QuantResize, QuantValue } from '../../graph/quant-graph.js';
import {
  nearestPositions,
  type ResizeCoordinates,
  sourceCoordinates,
} from '../../graph/resizing.js';
import { roundHalfEven } from '../../numeric/round.js';
import type { LinearResize } from '../../targets/target.js';
import type { ResizeAxis, ResizeForm, ResizeOp, ResizeWeights } from '../program.js';
import { imageOf, type LoweringState } from './state.js';
import { converted } from './unary.js';

const f32 = Math.fround;

export function lowerResize(state: LoweringState, node: QuantResize): void {
  const [input, value] = [state.value(node.inputs[0]!), state.value(node.output)];
  const { height, width } = imageOf(input)!;
  const rows: Side = { from: height, to: node.size[0] };
  const columns: Side = { from: width, to: node.size[1] };
  const linear = node.mode === 'linear' ? linearForm(state, node, value) : undefined;
  const resized = linear
    ? linearly(linear, node.coordinates, rows, columns, [input, value])
    : copied(node, rows, columns);
  const isReal = resized.form.kind === 'f32Reals';
  const source = isReal
    ? state.read(node, node.inputs[0]!)
    : converted(state, node, node.inputs[0]!, value);
  const base = { op: 'resize', name: node.name, inputs: [source], ...resized } as const;
  state.ops.push({ ...base, output: state.write(node.output) });
}

/** Positions of one axis: how many there are, and how many of them are made. */
interface Side {
  readonly from: number;
  readonly to: number;
}

type Resized = Pick<ResizeOp, 'rows' | 'columns' | 'form'>;

function linearForm(state: LoweringState, node: QuantResize, value: QuantValue): LinearResize {
  const { resize } = state.target.arithmetic;
  const { dtype } = value;
  const form = dtype === 's8' || dtype === 'u8' ? resize?.[dtype] : undefined;
  return (
    form ??
    state.refuse(
      node,
      `interpolates ${dtype} codes linearly, for which there is no exact form; export with nearest, or choose a LiteRT or onnxruntime target`,
    )
  );
}

function copied(node: QuantResize, rows: Side, columns: Side): Resized {
  const axis = ({ from, to }: Side): ResizeAxis => {
    const first = nearestPositions(node, from, to);
    return { first, second: first };
  };
  const none = ({ to }: Side): Int32Array => new Int32Array(to);
  const form = {
    kind: 'integer',
    bits: 0,
    rule: 'floor',
    rows: none(rows),
    columns: none(columns),
  } as const;
  return { rows: axis(rows), columns: axis(columns), form };
}

function linearly(
  form: LinearResize,
  coordinates: ResizeCoordinates,
  rows: Side,
  columns: Side,
  [input, output]: readonly [QuantValue, QuantValue],
): Resized {
  switch (form.kind) {
    case 'integer': {
      const { bits, rule } = form;
      const place = form.steps === 'fixed10' ? fixedSteps : floatSteps;
      const [r, c] = [place(coordinates, rows, bits), place(coordinates, columns, bits)];
      const weights = { rows: r.weights, columns: c.weights };
      return { rows: r.axis, columns: c.axis, form: { kind: 'integer', bits, rule, ...weights } };
    }
    case 'f32Codes':
    case 'f32Shares': {
      const [r, c] = [rows, columns].map((side) => codeShares(coordinates, side)) as [
        Shares,
        Shares,
      ];
      return withShares(r, c, { kind: form.kind });
    }
    case 'f32Reals': {
      const [r, c] = [rows, columns].map((side) => realShares(coordinates, side)) as [
        Shares,
        Shares,
      ];
      return withShares(r, c, { kind: 'f32Reals', scaleIn: input.scale, scaleOut: output.scale });
    }
  }
}

interface Steps {
  readonly axis: ResizeAxis;
  readonly weights: Int32Array;
}

/** TFLite's ResizeBilinearInteger: coordinates in steps of 2^-bits, which their scale is rounded to first. */
function fixedSteps(coordinates: ResizeCoordinates, { from, to }: Side, bits: number): Steps {
  const unit = 2 ** bits;
  const aligned = coordinates === 'alignCorners' && to > 1;
  const [span, parts] = aligned ? [from - 1, to - 1] : [from, to];
  const scale = Math.floor((unit * span + Math.floor(parts / 2)) / parts);
  const isHalf = coordinates === 'halfPixel' || (coordinates === 'pytorchHalfPixel' && to > 1);
  const offset = isHalf ? Math.floor(scale / 2) - unit / 2 : 0;
  return steps(to, (at) => {
    const position = at * scale + offset;
    const first = Math.min(Math.max(Math.trunc(position / unit), 0), from - 1);
    const second = Math.min(Math.trunc((position + unit - 1) / unit), from - 1);
    return [first, Math.max(second, first), position - unit * first];
  });
}

/** XNNPACK's: float32 coordinates within the image, their fractions rounded half to even. */
function floatSteps(coordinates: ResizeCoordinates, side: Side, bits: number): Steps {
  const reals = tfliteCoordinates(coordinates, side);
  return steps(side.to, (at) => {
    const x = Math.min(Math.max(reals[at]!, 0), side.from - 1);
    const first = Math.trunc(x);
    const weight = roundHalfEven(f32(f32(x - first) * 2 ** bits));
    return [first, Math.min(first + 1, side.from - 1), weight];
  });
}

/** Where both neighbours are one, their weights make no difference. */
function steps(
  count: number,
  place: (at: number) => readonly [first: number, second: number, weight: number],
): Steps {
  const places = Array.from({ length: count }, (_, at) => place(at));
  const list = (index: 0 | 1 | 2): Int32Array => Int32Array.from(places, (one) => one[index]);
  const axis = { first: list(0), second: list(1) };
  const weights = Int32Array.from(places, ([first, second, w]) => (first === second ? 0 : w));
  return { axis, weights };
}

/** As TFLite forms them in float32: times the inverse of the scale that ONNX divides by. */
function tfliteCoordinates(coordinates: ResizeCoordinates, { from, to }: Side): Float32Array {
  const aligned = coordinates === 'alignCorners' && to > 1;
  const scale = aligned ? f32((from - 1) / (to - 1)) : f32(from / to);
  const isHalf = coordinates === 'halfPixel' || (coordinates === 'pytorchHalfPixel' && to > 1);
  return Float32Array.from({ length: to }, (_, at) =>
    isHalf ? f32(f32(f32(at + 0.5) * scale) - 0.5) : f32(at * scale),
  );
}

interface Shares {
  readonly axis: ResizeAxis;
  readonly weights: ResizeWeights;
}

/** TFLite's float32 interpolation; a coordinate before the first position has a share below 0. */
function codeShares(coordinates: ResizeCoordinates, side: Side): Shares {
  const reals = tfliteCoordinates(coordinates, side);
  const first = Int32Array.from(reals, (x) => Math.max(Math.floor(x), 0));
  const second = Int32Array.from(reals, (x) => Math.min(Math.ceil(x), side.from - 1));
  const fraction = reals.map((x, at) => x - first[at]!);
  const weights = { first: fraction.map((x) => 1 - x), second: fraction };
  return { axis: { first, second: second.map((at) => Math.max(at, 0)) }, weights };
}

/** onnxruntime's: coordinates within the image, each neighbour by its distance to the other. */
function realShares(coordinates: ResizeCoordinates, { from, to }: Side): Shares {
  const reals = sourceCoordinates(coordinates, from, to).map((x) =>
    Math.min(Math.max(x, 0), from - 1),
  );
  const first = Int32Array.from(reals, Math.trunc);
  const second = first.map((at) => Math.min(at + 1, from - 1));
  const share = (own: Int32Array, other: Int32Array): Float32Array =>
    reals.map((x, at) => (own[at] === other[at] ? 0.5 : Math.abs(f32(x - other[at]!))));
  const weights = { first: share(first, second), second: share(second, first) };
  return { axis: { first, second }, weights };
}

type FloatForm = Exclude<ResizeForm, { kind: 'integer' }>;
type Bare = FloatForm extends infer One
  ? One extends FloatForm
    ? Omit<One, 'rows' | 'columns'>
    : never
  : never;

function withShares(rows: Shares, columns: Shares, form: Bare): Resized {
  const weights = { rows: rows.weights, columns: columns.weights };
  return { rows: rows.axis, columns: columns.axis, form: { ...form, ...weights } };
}
