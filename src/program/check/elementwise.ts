// SPDX-License-Identifier: Apache-2.0
import { type FixedRule, fixedPointBig } from '../../numeric/requant.js';
import type { AddForm, AddOp, MulOp, ProgramTensor } from '../program.js';
import { centred, int32, moderate, requireEightBits, requireShape, type Context } from './place.js';
import { alike, checkClamp, checkRequant } from './requant.js';

export function checkAdd(op: AddOp, context: Context): void {
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
        place.scale(scale, moderate, 'a scale');
      }
      break;
    case 'requant':
      checkWeightedSum(form, context, a, b);
      break;
    case 'tables':
      checkTables(form, context);
      break;
  }
  place.require(output.dtype !== 's32', () => 'expected an output of u8, s8 or s16, got s32');
}

function checkWeightedSum(
  { multiplierA, multiplierB, requant }: Extract<AddForm, { kind: 'requant' }>,
  context: Context,
  a: ProgramTensor,
  b: ProgramTensor,
): void {
  const { place } = context;
  place.integers([multiplierA, multiplierB], [0, int32[1]], 'a multiplier');
  const sum = (end: 0 | 1): number => centred(a)[end] * multiplierA + centred(b)[end] * multiplierB;
  const sums = [sum(0), sum(1)] as const;
  place.integers(sums, int32, 'weighted sums of 32 bits');
  place.require(requant.kind !== 'none', () => 'expected a requantization of the sum, got none');
  checkRequant(requant, context, alike(1, sums));
}

function checkTables(
  { tableA, tableB, requant }: Extract<AddForm, { kind: 'tables' }>,
  context: Context,
): void {
  const { place, inputs } = context;
  for (const input of inputs) requireEightBits(context, input);
  for (const { length } of [tableA, tableB]) {
    place.integer(length, [256, 256], 'the number of table entries');
  }
  const sums = [
    Math.min(...tableA) + Math.min(...tableB),
    Math.max(...tableA) + Math.max(...tableB),
  ] as const;
  place.integers(sums, int32, 'sums of 32 bits');
  place.require(requant.kind !== 'none', () => 'expected a requantization of the sum, got none');
  checkRequant(requant, context, alike(1, sums));
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

export function checkMul(op: MulOp, context: Context): void {
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
  const extremes = [Math.min(...products), Math.max(...products)] as const;
  checkRequant(op.requant, context, alike(output.channels, extremes));
  checkClamp(op.clamp, output.channels, context);
}
