// SPDX-License-Identifier: Apache-2.0
import { roundShift } from '../../numeric/round.js';
import type { BiasForm } from '../../targets/target.js';

const widest = 31;

/**
 * A bias as the target's register holds it: rounded below its shift, within its width.
 *
 * @param bias at accumulator scale, one per channel
 * @param refuse called with the channel and the reason for a bias that does not fit
 * @returns at accumulator scale again
 */
export function alignBias(
  bias: Int32Array,
  form: BiasForm | undefined,
  refuse: (channel: number, reason: string) => never,
): Int32Array {
  if (form === undefined) return bias;
  const { bits, overflow, rule = 'halfUp' } = form;
  const greatest = 2 ** (bits - 1) - 1;
  const registers = (shift: number): number[] =>
    Array.from(bias, (b) => (shift === 0 ? b : roundShift(b, shift, rule)));
  const fits = (register: number): boolean => register >= -greatest - 1 && register <= greatest;
  const shift = form.shift === 'least' ? leastShift(registers, fits) : (form.shift ?? 0);
  return Int32Array.from(registers(shift), (register, channel) => {
    if (!fits(register) && overflow === 'refuse') {
      const where = shift === 0 ? `${bits} bits` : `${bits} bits shifted left by ${shift}`;
      refuse(channel, `the bias ${bias[channel]!} does not fit ${where}`);
    }
    const value = Math.min(Math.max(register, -greatest - 1), greatest) * 2 ** shift;
    return Math.min(Math.max(value, -(2 ** widest)), 2 ** widest - 1);
  });
}

function leastShift(
  registers: (shift: number) => number[],
  fits: (register: number) => boolean,
): number {
  let shift = 0;
  while (shift < widest && !registers(shift).every(fits)) ++shift;
  return shift;
}
