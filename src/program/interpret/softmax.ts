// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "softmax".
import { type Codes, codeLimits } from '../../numeric/code-types.js';
import { expOnNegativeValues, oneOverOnePlus, rdbpot, srdhm } from '../../numeric/gemmlowp.js';
import { roundTable } from '../../numeric/round.js';
import type { ProgramTensor, SoftmaxForm, SoftmaxOp } from '../program.js';

const f32 = Math.fround;

/** Softmax over the channels of each pixel. */
export function softmax(op: SoftmaxOp, output: ProgramTensor, x: Codes, y: Codes): void {
  const { form } = op;
  for (let start = 0; start < x.length; start += output.channels) {
    const logits = Array.from(x.subarray(start, start + output.channels));
    const greatest = Math.max(...logits);
    const differences = logits.map((code) => code - greatest);
    y.set(softmaxOf(form, output, differences), start);
  }
}

function softmaxOf(
  form: SoftmaxForm,
  output: ProgramTensor,
  differences: readonly number[],
): number[] {
  switch (form.kind) {
    case 'gemmlowp':
      return fixedPointSoftmax(form, output, differences);
    case 'f32Table':
      return tableSoftmax(form, output, differences);
    case 'wideTable':
      return wideSoftmax(form, differences);
  }
}

function wideSoftmax(
  { exp, reciprocal }: Extract<SoftmaxForm, { kind: 'wideTable' }>,
  differences: readonly number[],
): number[] {
  const powers = differences.map((d) => exp[-d]!);
  const sum = powers.reduce((total, e) => total + e, 0);
  const zeros = Math.clz32(sum);
  const normal = Math.floor((sum * 2 ** (zeros - 1) + 2 ** 13) / 2 ** 14);
  const inverse = reciprocal[Math.min(normal - 2 ** 16, 65535)]!;
  const shift = 31 - zeros;
  return powers.map((e) => {
    const share = Math.floor((e * inverse + 2 ** (shift - 1)) / 2 ** shift);
    return Math.min(Math.max(share, 0), 32767);
  });
}

function fixedPointSoftmax(
  { multiplier, leftShift, diffMin }: Extract<SoftmaxForm, { kind: 'gemmlowp' }>,
  output: ProgramTensor,
  differences: readonly number[],
): number[] {
  const [least, greatest] = codeLimits(output.dtype);
  const powers = differences.map((d) =>
    d < diffMin ? undefined : expOnNegativeValues(srdhm(d * 2 ** leftShift, multiplier)),
  );
  const sum = powers.reduce<number>((total, e) => total + (e === undefined ? 0 : rdbpot(e, 12)), 0);
  const zeros = Math.clz32(sum);
  const reciprocal = oneOverOnePlus(sum * 2 ** zeros - 2 ** 31);
  return powers.map((e) => {
    if (e === undefined) return least;
    const code = rdbpot(srdhm(reciprocal, e), 12 - zeros + 31 - 8) + least;
    return Math.min(Math.max(code, least), greatest);
  });
}

function tableSoftmax(
  { table, outputScale, rule }: Extract<SoftmaxForm, { kind: 'f32Table' }>,
  output: ProgramTensor,
  differences: readonly number[],
): number[] {
  const [least, greatest] = codeLimits(output.dtype);
  const powers = differences.map((d) => table[-d]!);
  const sum = powers.reduce((total, t) => f32(total + t), 0);
  const inverse = f32(1 / f32(sum * outputScale));
  return powers.map((t) => {
    const share = f32(t * inverse);
    const rounded = roundTable(share, rule);
    return Math.min(Math.max(rounded + output.zeroPoint, least), greatest);
  });
}
