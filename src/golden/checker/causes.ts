// SPDX-License-Identifier: Apache-2.0
// A dictionary of faults: what a layer would write if its hardware had one of the usual mistakes. Where
// the first wrong number comes, and what it is, tells most of them apart: a fault is to blame only if
// it changes nothing before.
import { codeLimits, type CodeType } from '../../numeric/code-types.js';
import { fixedPoint, fixedRules, type FixedRule } from '../../numeric/requant.js';
import { entry } from '../../program/per-channel.js';
import type { ConvOp, Requant } from '../../program/program.js';
import type { Stream } from './stream.js';

/** A convolution's numbers, NHWC, and what is known of its sums under other paddings. */
export interface LayerNumbers {
  readonly op: ConvOp;
  readonly dtype: CodeType;
  readonly zeroPoint: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly accumulators: ArrayLike<number>;
  readonly output: ArrayLike<number>;
  /** Accumulators with other operands, by the fault that leads to them. */
  readonly otherSums: ReadonlyMap<string, ArrayLike<number>>;
}

/** One mistake and where it first shows in a stream of the layer's output. */
export interface Cause {
  readonly name: string;
  /** Index into the stream. */
  readonly first: number;
  /** The wrong number there. */
  readonly value: number;
}

type Fixed = Extract<Requant, { kind: 'fixed' }>;

/**
 * The faults that would change a layer's output, by the place of their first change. Layers that do not
 * requantize by a multiplier and a shift have those of their layout and padding alone.
 */
export function causesOf(layer: LayerNumbers, stream: Stream): readonly Cause[] {
  const found: Cause[] = [];
  const add = (name: string, codeAt: (index: number) => number): void => {
    for (let at = 0; at < stream.length; at++) {
      const index = stream.indexOf(at);
      if (index < 0) continue;
      const value = codeAt(index);
      if (value === layer.output[index]) continue;
      found.push({ name, first: at, value });
      return;
    }
  };
  const { requant } = layer.op;
  if (requant.kind === 'fixed') {
    for (const [name, codeAt] of requantFaults(layer, requant)) add(name, codeAt);
    for (const [name, sums] of layer.otherSums)
      add(name, (index) => finished(layer, requant, sums[index]!, index));
  }
  const transposed = transposition(layer, stream);
  if (transposed !== undefined)
    add('channels before rows and columns (NCHW for NHWC, or the reverse)', transposed);
  return found.sort((a, b) => a.first - b.first);
}

const ruleNames: Readonly<Record<FixedRule, string>> = {
  floor: 'rounds down (floor)',
  ceil: 'rounds up (ceil)',
  trunc0: 'rounds toward zero',
  halfUp: 'rounds half up, once',
  halfDown: 'rounds half down',
  halfAway: 'rounds half away from zero, once',
  halfToZero: 'rounds half toward zero',
  halfEven: 'rounds half to even',
  halfOdd: 'rounds half to odd',
  gemmlowp2: 'rounds twice (gemmlowp: half up, then half away from zero)',
  ruyx86: 'rounds twice, both half up',
};

type CodeAt = (index: number) => number;

function requantFaults(layer: LayerNumbers, requant: Fixed): [string, CodeAt][] {
  const { op, accumulators: sums, channels } = layer;
  const [min, max] = codeLimits(layer.dtype);
  const real = (index: number): number => scaled(requant, sums[index]!, index % channels);
  const code = (index: number): number => real(index) + layer.zeroPoint;
  const channel = (index: number): number => index % channels;
  const rules = fixedRules
    .filter((rule) => rule !== requant.rule)
    .map((rule): [string, CodeAt] => [
      ruleNames[rule],
      (index) => finished(layer, { ...requant, rule }, sums[index]!, index),
    ]);
  const shifted = (by: number): CodeAt => {
    const shift = requant.shift.map((s) => Math.min(Math.max(s + by, 1), 62));
    return (index) => finished(layer, { ...requant, shift }, sums[index]!, index);
  };
  const first = {
    ...requant,
    multiplier: requant.multiplier.slice(0, 1),
    shift: requant.shift.slice(0, 1),
  };
  return [
    ...rules,
    ['output zero point missing', (index) => clamped(op, real(index), channel(index))],
    ['activation missing (clamp to the type alone)', (index) => within(code(index), min, max)],
    ['saturation missed (result wraps)', (index) => wrapped(code(index), layer.dtype)],
    [
      'bias missing',
      (index) => finished(layer, requant, sums[index]! - op.bias[channel(index)]!, index),
    ],
    ['one shift too few', shifted(-1)],
    ['one shift too many', shifted(1)],
    [
      'multiplier and shift of channel 0 for all',
      (index) => finished(layer, first, sums[index]!, index),
    ],
    [
      'accumulator of 16 bits wraps',
      (index) => finished(layer, requant, wrapped(sums[index]!, 's16'), index),
    ],
    [
      'accumulator of 16 bits saturates',
      (index) => finished(layer, requant, within(sums[index]!, -32768, 32767), index),
    ],
  ];
}

function scaled({ multiplier, shift, rule }: Fixed, sum: number, channel: number): number {
  return fixedPoint(sum, entry(multiplier, channel), entry(shift, channel), rule);
}

function finished(layer: LayerNumbers, requant: Fixed, sum: number, index: number): number {
  const channel = index % layer.channels;
  return clamped(layer.op, scaled(requant, sum, channel) + layer.zeroPoint, channel);
}

function clamped({ clamp }: ConvOp, value: number, channel: number): number {
  return within(value, entry(clamp.lo, channel), entry(clamp.hi, channel));
}

const within = (value: number, min: number, max: number): number =>
  Math.min(Math.max(value, min), max);

function wrapped(value: number, dtype: CodeType): number {
  const [min, max] = codeLimits(dtype);
  const size = max - min + 1;
  return value - Math.floor((value - min) / size) * size;
}

/** What a stream in the other order brings; undefined where both are one order, or tiles are streamed. */
function transposition(
  { height, width, channels, output }: LayerNumbers,
  stream: Stream,
): CodeAt | undefined {
  const pixels = height * width;
  if (pixels === 1 || channels === 1 || stream.length !== output.length) return undefined;
  const isNhwc = stream.indexOf(1) === 1;
  return (index) => {
    const [pixel, channel] = [Math.floor(index / channels), index % channels];
    // The place of the number in its stream, and what the other order has there.
    const at = isNhwc ? index : channel * pixels + pixel;
    const other = isNhwc ? (at % pixels) * channels + Math.floor(at / pixels) : at;
    return output[other]!;
  };
}
