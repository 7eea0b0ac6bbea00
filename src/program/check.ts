// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "What a loader checks", second list. A program that passes cannot fail in a run. The
// operations with arithmetic have files of their own in check/.
import { codeLimits } from '../numeric/code-types.js';
import { checkConv } from './check/conv.js';
import { checkAdd, checkMul } from './check/elementwise.js';
import {
  checkSameCodes,
  int32,
  maxSide,
  Place,
  positive,
  requireEightBits,
  requireShape,
  type Context,
  type Range,
} from './check/place.js';
import { checkAveragePool, checkMaxPool } from './check/pool.js';
import { checkResize } from './check/resize.js';
import type {
  ConcatOp,
  Op,
  PadOp,
  Program,
  ProgramTensor,
  SoftmaxForm,
  SoftmaxOp,
  SpliceOp,
} from './program.js';

const maxCodes = 2 ** 28;
/** What a softmax's table and output scale may hold; the first entry is no less. */
const share: Range = [2 ** -32, 2 ** 32];

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
  for (const op of program.ops) checkOp(program.tensors, op);
}

function checkTensor(tensor: ProgramTensor): void {
  const place = new Place(`tensor "${tensor.name}"`);
  const { height, width, channels } = tensor;
  place.integers([height, width, channels], [1, maxSide], 'height, width and channels');
  place.integer(height * width * channels, [1, maxCodes], 'the number of codes');
  place.integer(tensor.zeroPoint, codeLimits(tensor.dtype), 'a zero point');
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

/**
 * Checks one operation by the tensors that it reads and writes.
 *
 * @throws ModelError `invalid-program` naming the operation
 */
export function checkOp(tensors: readonly ProgramTensor[], op: Op): void {
  const place = opPlace(op);
  const inputs = op.inputs.map((index) => tensors[index]!);
  const output = tensors[op.output]!;
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
      checkMaxPool(op, context);
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
      requireShape(context, input.height, input.width, input.channels);
      place.integer(
        op.table.length,
        input.dtype === 's16' ? [65536, 65536] : [256, 256],
        'the number of table entries',
      );
      place.integers(op.table, codeLimits(output.dtype), 'a table entry');
      break;
    case 'softmax':
      checkSoftmax(op, context);
      break;
    case 'splice':
      checkSplice(op, context);
      break;
    case 'resize':
      checkResize(op, context);
      break;
  }
}

function size({ height, width, channels }: ProgramTensor): number {
  return height * width * channels;
}

const binary: ReadonlySet<Op['op']> = new Set(['add', 'mul', 'splice']);

function checkArity(op: Op, place: Place): void {
  const count = op.inputs.length;
  if (op.op === 'concat') place.require(count >= 1, () => 'expected at least 1 input, got 0');
  else place.integer(count, binary.has(op.op) ? [2, 2] : [1, 1], 'the number of inputs');
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
  requireShape(context, input.height, input.width, input.channels);
  if (form.kind === 'wideTable') {
    checkWideSoftmax(form, context);
    return;
  }
  requireEightBits(context, input);
  requireEightBits(context, output);
  if (form.kind === 'gemmlowp') {
    place.integer(form.multiplier, [0, int32[1]], 'the multiplier');
    place.integer(form.leftShift, [0, 31], 'leftShift');
    const least = -Math.floor((31 * 2 ** 26) / 2 ** form.leftShift);
    place.integer(form.diffMin, [least, 0], 'diffMin');
    place.integer(input.channels, [1, 4095], 'the number of channels');
    return;
  }
  place.integer(form.table.length, [256, 256], 'the number of table entries');
  for (const t of form.table) place.scale(t, [0, share[1]], 'a table entry');
  place.scale(form.table[0]!, share, 'the first table entry');
  place.scale(form.outputScale, share, 'outputScale');
}

function checkWideSoftmax(
  { exp, reciprocal }: Extract<SoftmaxForm, { kind: 'wideTable' }>,
  { place, input, output }: Context,
): void {
  place.require(
    input.dtype === 's16' && output.dtype === 's16',
    () => `expected s16 on both sides, got ${input.dtype} and ${output.dtype}`,
  );
  for (const table of [exp, reciprocal]) {
    place.integer(table.length, [65536, 65536], 'the number of table entries');
    place.integers(table, [0, 32767], 'a table entry');
  }
  place.integer(exp[0]!, [2 ** 14, 32767], 'the first table entry');
}

function checkSplice({ period, from }: SpliceOp, context: Context): void {
  const { place, inputs, output } = context;
  checkSameCodes(context);
  for (const { height, width, channels } of inputs) {
    requireShape(context, height, width, channels);
  }
  place.integer(period, [2, size(output)], 'the period');
  place.integer(from, [1, period - 1], 'the first code of the second input');
}
