// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "What a loader checks", second list. A program that passes cannot fail in a run.
import { ModelError } from '../errors.js';
import { windowOutput, type WindowShape } from './interpret/window.js';
import {
  codeRange,
  type AddOp,
  type AveragePoolOp,
  type CodeClamp,
  type ConcatOp,
  type ConvOp,
  type FixedRule,
  type MulOp,
  type Op,
  type PadOp,
  type Pair,
  type Program,
  type ProgramTensor,
  type Requant,
  type SoftmaxOp,
} from './program.js';
import { fixedPointBig } from './rounding.js';

const maxSide = 65536;
const maxCodes = 2 ** 28;
const leastScale = 2 ** -64;
const greatestScale = 2 ** 64;
const leastShare = 2 ** -32;
const greatestShare = 2 ** 32;
const int32: Range = [-(2 ** 31), 2 ** 31 - 1];

type Range = readonly [least: number, greatest: number];

/** Reports what is wrong with one tensor, operation or the program as a whole. */
class Place {
  constructor(readonly where: string) {}

  fail(detail: string): never {
    throw new ModelError(
      'invalid-program',
      this.where,
      `${detail}; the program is damaged, make it again`,
    );
  }

  require(condition: boolean, detail: () => string): void {
    if (!condition) this.fail(detail());
  }

  integer(value: number, [least, greatest]: Range, what: string): void {
    this.require(
      Number.isInteger(value) && value >= least && value <= greatest,
      () => `expected ${what} in [${least}, ${greatest}], got ${value}`,
    );
  }

  integers(values: Iterable<number>, [least, greatest]: Range, what: string): void {
    for (const value of values) {
      if (!Number.isInteger(value) || value < least || value > greatest) {
        this.integer(value, [least, greatest], what);
      }
    }
  }

  scale(value: number, [least, greatest]: Range, what: string): void {
    this.require(
      Math.fround(value) === value && value >= least && value <= greatest,
      () => `expected ${what} to be a float32 in [${least}, ${greatest}], got ${value}`,
    );
  }

  /** An array with one entry, or one per channel. */
  entries(array: ArrayLike<unknown>, channels: number, what: string): void {
    this.require(
      array.length === 1 || array.length === channels,
      () => `expected 1 or ${channels} entries of ${what}, got ${array.length}`,
    );
  }
}

const positive: Range = [2 ** -149, (2 - 2 ** -23) * 2 ** 127];

/**
 * Checks everything that NOTES.md lists under "What a loader checks" for a program.
 *
 * @throws ModelError `invalid-program` naming the tensor or operation
 */
export function checkProgram(program: Program): void {
  const whole = new Place('program');
  program.tensors.forEach(checkTensor);
  requireDistinct(program.tensors, 'tensor');
  requireDistinct(program.ops, 'operation');
  checkOrder(program, whole);
  whole.require(program.outputs.length > 0, () => 'expected at least one output, got none');
  const input = program.tensors[program.input]!;
  whole.require(input.dtype !== 's32', () => 'expected an input of u8, s8 or s16, got s32');
  for (const op of program.ops) checkOp(program, op);
}

function checkTensor(tensor: ProgramTensor): void {
  const place = new Place(`tensor "${tensor.name}"`);
  const { height, width, channels } = tensor;
  place.integers([height, width, channels], [1, maxSide], 'height, width and channels');
  place.integer(height * width * channels, [1, maxCodes], 'the number of codes');
  place.integer(tensor.zeroPoint, codeRange[tensor.dtype], 'a zero point');
  place.scale(tensor.scale, positive, 'the scale');
}

function requireDistinct(items: readonly { readonly name: string }[], kind: string): void {
  const seen = new Set<string>();
  for (const { name } of items) {
    if (seen.has(name))
      new Place(`${kind} "${name}"`).fail('expected distinct names, got this one twice');
    seen.add(name);
  }
}

function checkOrder(program: Program, whole: Place): void {
  const last = program.tensors.length - 1;
  const written = new Set<number>([program.input]);
  whole.integer(program.input, [0, last], 'the input tensor');
  for (const op of program.ops) {
    const place = opPlace(op);
    for (const index of op.inputs) {
      place.integer(index, [0, last], 'an input tensor');
      place.require(written.has(index), () => `reads tensor ${index} before it is written`);
    }
    place.integer(op.output, [0, last], 'the output tensor');
    place.require(
      !written.has(op.output),
      () => `writes tensor ${op.output}, which is written already`,
    );
    written.add(op.output);
  }
  whole.require(
    written.size === program.tensors.length,
    () => 'holds a tensor that nothing writes',
  );
  whole.integers(program.outputs, [0, last], 'an output tensor');
}

function opPlace(op: Op): Place {
  return new Place(`${op.op} "${op.name}"`);
}

function checkOp(program: Program, op: Op): void {
  const place = opPlace(op);
  const inputs = op.inputs.map((index) => program.tensors[index]!);
  const output = program.tensors[op.output]!;
  checkArity(op, place);
  place.require(
    op.op === 'reshape' || inputs.every(({ dtype }) => dtype !== 's32'),
    () => 'reads an s32 tensor, which only reshape may',
  );
  const [input] = inputs as [ProgramTensor];
  const context: Context = { place, inputs, input, output };
  switch (op.op) {
    case 'conv':
      checkConv(op, context);
      break;
    case 'add':
      checkAdd(op, context);
      break;
    case 'mul':
      checkMul(op, context);
      break;
    case 'averagePool':
      checkAveragePool(op, context);
      break;
    case 'maxPool':
      checkPoolWindow(op, context);
      checkSameCodes(context);
      checkClamp(op.clamp, output.channels, context);
      break;
    case 'concat':
      checkConcat(op, context);
      break;
    case 'pad':
      checkPad(op, context);
      break;
    case 'reshape':
      checkSameCodes(context);
      requireShape(
        context,
        output.height,
        output.width,
        output.channels,
        size(input) === size(output),
      );
      break;
    case 'lut':
      requireEightBits(context, input);
      requireShape(context, input.height, input.width, input.channels);
      place.integer(op.table.length, [256, 256], 'the number of table entries');
      place.integers(op.table, codeRange[output.dtype], 'a table entry');
      break;
    case 'softmax':
      checkSoftmax(op, context);
      break;
  }
}

interface Context {
  readonly place: Place;
  readonly inputs: readonly ProgramTensor[];
  /** The first of them. */
  readonly input: ProgramTensor;
  readonly output: ProgramTensor;
}

function size({ height, width, channels }: ProgramTensor): number {
  return height * width * channels;
}

function checkArity(op: Op, place: Place): void {
  const count = op.inputs.length;
  if (op.op === 'concat') place.require(count >= 1, () => 'expected at least 1 input, got 0');
  else
    place.integer(
      count,
      op.op === 'add' || op.op === 'mul' ? [2, 2] : [1, 1],
      'the number of inputs',
    );
}

function requireShape(
  { place, output }: Context,
  height: number,
  width: number,
  channels: number,
  fits = output.height === height && output.width === width && output.channels === channels,
): void {
  place.require(
    fits,
    () =>
      `expected an output of ${height} x ${width} x ${channels}, ` +
      `got ${output.height} x ${output.width} x ${output.channels}`,
  );
}

function checkSameCodes({ place, inputs, output }: Context): void {
  place.require(
    inputs.every((x) => x.dtype === output.dtype && x.zeroPoint === output.zeroPoint),
    () => 'expected type and zero point of inputs and output to be equal',
  );
}

function requireEightBits({ place }: Context, tensor: ProgramTensor): void {
  place.require(
    tensor.dtype === 'u8' || tensor.dtype === 's8',
    () => `expected "${tensor.name}" to be u8 or s8, got ${tensor.dtype}`,
  );
}

/** Least and greatest of code - zero point. */
function centred({ dtype, zeroPoint }: ProgramTensor): Range {
  const [least, greatest] = codeRange[dtype];
  return [least - zeroPoint, greatest - zeroPoint];
}

function checkWindow(window: WindowShape, { place }: Context): void {
  const { kernel, strides, dilations = [1, 1], pads } = window;
  place.integers(
    [...kernel, ...strides, ...dilations],
    [1, maxSide],
    'kernel, strides and dilations',
  );
  place.integers(pads, [0, maxSide], 'pads');
}

function checkPoolWindow(window: WindowShape, context: Context): void {
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

function checkConv(op: ConvOp, context: Context): void {
  const { place, input, output } = context;
  checkWindow(op, context);
  place.integer(op.groups, [1, maxSide], 'groups');
  place.require(
    input.channels % op.groups === 0 && output.channels % op.groups === 0,
    () =>
      `expected groups to divide ${input.channels} and ${output.channels} channels, got ${op.groups}`,
  );
  requireShape(context, ...windowOutput(op, input.height, input.width), op.bias.length);
  const perChannel = (op.kernel[0] * op.kernel[1] * input.channels) / op.groups;
  const weightCount = output.channels * perChannel;
  place.integer(op.weights.length, [weightCount, weightCount], 'the number of weights');
  place.entries(op.weightZeroPoints, output.channels, 'weight zero points');
  place.integers(op.weights, codeRange[op.weightType], 'a weight');
  place.integers(op.weightZeroPoints, codeRange[op.weightType], 'a weight zero point');
  place.integers(op.bias, int32, 'a bias');
  checkAccumulator(op, context);
  checkSums(op, context, perChannel);
  checkRequant(op.requant, context, op.accumulator.bits > 32);
  checkClamp(op.clamp, output.channels, context);
}

function checkAccumulator(
  { accumulator, weightType, weightZeroPoints }: ConvOp,
  context: Context,
): void {
  const { place, input } = context;
  place.integer(accumulator.bits, [16, 64], 'accumulator bits');
  if (accumulator.products === 'exact') return;
  place.require(
    input.dtype === 'u8' &&
      weightType === 's8' &&
      weightZeroPoints.every((z) => z === 0) &&
      accumulator.when === 'end',
    () => 'satPairs16 needs u8 codes, s8 weights with zero points 0, and overflow at the end',
  );
}

function checkSums(op: ConvOp, { place, input }: Context, perChannel: number): void {
  const [least, greatest] = centred(input);
  // Raw codes and z * w where pairs saturate: at most twice the range of u8.
  const pixel = op.accumulator.products === 'satPairs16' ? 510 : Math.max(-least, greatest);
  for (let o = 0; o < op.bias.length; ++o) {
    const zero =
      op.weightZeroPoints.length === 1 ? op.weightZeroPoints[0]! : op.weightZeroPoints[o]!;
    let sum = 0;
    for (let i = o * perChannel; i < (o + 1) * perChannel; ++i)
      sum += Math.abs(op.weights[i]! - zero);
    place.require(
      Math.abs(op.bias[o]!) + sum * pixel < 2 ** 62,
      () => `channel ${o}: a sum may leave 63 bits`,
    );
  }
}

function checkRequant(requant: Requant, { place, output }: Context, wide: boolean): void {
  const { channels } = output;
  switch (requant.kind) {
    case 'none':
      place.require(
        output.dtype === 's32',
        () => `without requantization writes s32, not ${output.dtype}`,
      );
      break;
    case 'fixed':
      place.entries(requant.multiplier, channels, 'multipliers');
      place.entries(requant.shift, channels, 'shifts');
      place.integers(requant.multiplier, [0, int32[1]], 'a multiplier');
      place.integers(requant.shift, [1, 62], 'a shift');
      place.require(
        !wide || (requant.rule !== 'gemmlowp2' && requant.rule !== 'ruyx86'),
        () => `${requant.rule} needs an accumulator of at most 32 bits`,
      );
      break;
    case 'f32':
      place.entries(requant.scale, channels, 'scales');
      for (const scale of requant.scale) place.scale(scale, positive, 'a scale');
      break;
    case 'shift':
      place.entries(requant.shift, channels, 'shifts');
      place.integers(requant.shift, [-31, 62], 'a shift');
      break;
  }
}

function checkClamp({ lo, hi }: CodeClamp, channels: number, { place, output }: Context): void {
  place.entries(lo, channels, 'lower bounds');
  place.entries(hi, channels, 'upper bounds');
  place.integers([...lo, ...hi], codeRange[output.dtype], 'a clamp bound');
  for (let c = 0; c < Math.max(lo.length, hi.length); ++c) {
    const [low, high] = [lo.length === 1 ? lo[0]! : lo[c]!, hi.length === 1 ? hi[0]! : hi[c]!];
    place.require(low <= high, () => `channel ${c}: expected lo <= hi, got ${low} > ${high}`);
  }
}

function checkAdd(op: AddOp, context: Context): void {
  const { place, inputs, input, output } = context;
  const [a, b] = inputs as [ProgramTensor, ProgramTensor];
  requireShape(context, input.height, input.width, input.channels);
  requireShape(context, b.height, b.width, b.channels);
  checkClamp(op.clamp, 1, context);
  const { form } = op;
  switch (form.kind) {
    case 'rescaled':
      place.integer(form.leftShift, [0, 30], 'leftShift');
      place.integers(
        [form.multiplierA, form.multiplierB, form.multiplierOut],
        [0, int32[1]],
        'a multiplier',
      );
      place.integers([form.shiftA, form.shiftB, form.shiftOut], [1, 62], 'a shift');
      checkRescaled(
        context,
        [
          [a, form.multiplierA, form.shiftA],
          [b, form.multiplierB, form.shiftB],
        ],
        form.leftShift,
        form.rule,
      );
      break;
    case 'aligned':
      place.integers([form.multiplierA, form.multiplierB], [0, int32[1]], 'a multiplier');
      place.integer(form.shift, [0, 62], 'the shift');
      break;
    case 'f32':
      for (const scale of [form.scaleA, form.scaleB, form.scaleOut]) {
        place.scale(scale, [leastScale, greatestScale], 'a scale');
      }
      break;
  }
  place.require(output.dtype !== 's32', () => 'expected an output of u8, s8 or s16, got s32');
}

type Operand = readonly [tensor: ProgramTensor, multiplier: number, shift: number];

// Rescaling is monotone in the code, so the extreme codes give the extreme sums.
function checkRescaled(
  { place }: Context,
  operands: readonly Operand[],
  leftShift: number,
  rule: FixedRule,
): void {
  const fits = (value: bigint): boolean => value === BigInt.asIntN(32, value);
  const sums = ([0, 1] as const).map((end) => {
    let sum = 0n;
    for (const [tensor, multiplier, shift] of operands) {
      const scaled = BigInt(centred(tensor)[end]) << BigInt(leftShift);
      const term = fixedPointBig(scaled, BigInt(multiplier), shift, rule);
      place.require(fits(scaled) && fits(term), () => `operand "${tensor.name}" leaves 32 bits`);
      sum += term;
    }
    return sum;
  });
  place.require(sums.every(fits), () => 'the sum of the rescaled operands leaves 32 bits');
}

function checkMul(op: MulOp, context: Context): void {
  const { place, inputs, input, output } = context;
  const [a, b] = inputs as [ProgramTensor, ProgramTensor];
  requireShape(context, input.height, input.width, input.channels);
  place.require(
    b.channels === a.channels &&
      ((b.height === a.height && b.width === a.width) || (b.height === 1 && b.width === 1)),
    () => `expected the second input to have the first one's shape or to be 1 x 1 x ${a.channels}`,
  );
  const products = centred(a).flatMap((x) => centred(b).map((y) => x * y));
  place.integers(products, int32, 'products of 32 bits');
  checkRequant(op.requant, context, false);
  checkClamp(op.clamp, output.channels, context);
}

function checkAveragePool(op: AveragePoolOp, context: Context): void {
  const { place, input, output } = context;
  checkPoolWindow(op, context);
  checkClamp(op.clamp, output.channels, context);
  if (op.form.kind === 'divide') {
    checkSameCodes(context);
    return;
  }
  const area = op.kernel[0] * op.kernel[1];
  place.integers(
    centred(input).map((x) => x * area),
    int32,
    'sums of 32 bits',
  );
  checkRequant(op.form.requant, context, false);
}

function checkConcat(_op: ConcatOp, context: Context): void {
  const { place, inputs, input } = context;
  checkSameCodes(context);
  place.require(
    inputs.every(({ height, width }) => height === input.height && width === input.width),
    () => 'expected inputs of equal height and width',
  );
  const channels = inputs.reduce((sum, x) => sum + x.channels, 0);
  requireShape(context, input.height, input.width, channels);
}

function checkPad({ pads }: PadOp, context: Context): void {
  const { place, input } = context;
  place.integers(pads, [0, maxSide], 'pads');
  checkSameCodes(context);
  const [top, left, bottom, right] = pads;
  requireShape(context, input.height + top + bottom, input.width + left + right, input.channels);
}

function checkSoftmax({ form }: SoftmaxOp, context: Context): void {
  const { place, input, output } = context;
  requireEightBits(context, input);
  requireEightBits(context, output);
  requireShape(context, input.height, input.width, input.channels);
  if (form.kind === 'gemmlowp') {
    place.integer(form.multiplier, [0, int32[1]], 'the multiplier');
    place.integer(form.leftShift, [0, 31], 'leftShift');
    const least = -Math.floor((31 * 2 ** 26) / 2 ** form.leftShift);
    place.integer(form.diffMin, [least, 0], 'diffMin');
    place.integer(input.channels, [1, 4095], 'the number of channels');
    return;
  }
  place.integer(form.table.length, [256, 256], 'the number of table entries');
  for (const t of form.table) place.scale(t, [0, greatestShare], 'a table entry');
  place.scale(form.table[0]!, [leastShare, greatestShare], 'the first table entry');
  place.scale(form.outputScale, [leastShare, greatestShare], 'outputScale');
}

/** Height and width that an operation's window gives; for makers of programs. */
export function outputSize(window: WindowShape, { height, width }: ProgramTensor): Pair {
  return windowOutput(window, height, width);
}
