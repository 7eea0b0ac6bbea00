// SPDX-License-Identifier: Apache-2.0
// Random additions and products.
import { codeLimits, type CodeType } from '../../src/numeric/code-types.js';
import { fixedRules } from '../../src/numeric/requant.js';
import { roundRules } from '../../src/numeric/round.js';
import type { AddForm, ProgramTensor } from '../../src/program/program.js';
import { RandomPools } from './random-pools.js';

/** A program with additions and products as well. */
export class RandomSums extends RandomPools {
  protected add(): void {
    const { random } = this;
    const a = this.source();
    const b = this.partner(a);
    const inputs = random.chance(0.5) ? [a, b] : [b, a];
    const type = this.resultType() as 'u8' | 's8' | 's16';
    const operands = inputs.map((i) => this.tensor(i));
    const output = this.append(type, this.tensor(a));
    this.push({
      op: 'add',
      name: this.name('add'),
      inputs,
      output,
      form: this.addForm(operands, type),
      clamp: this.clamp(type, 1),
    });
  }

  protected addForm(operands: readonly ProgramTensor[], type: CodeType): AddForm {
    const { random } = this;
    const wide = operands.some(({ dtype }) => dtype === 's16');
    const gain = (wide ? 2 ** -8 : 1) * (type === 's16' ? 2 ** 8 : 1);
    const plain = ['rescaled', 'rescaled', 'aligned', 'f32', 'requant'] as const;
    const kind = random.pick([...plain, wide ? 'rescaled' : 'tables'] as const);
    switch (kind) {
      case 'rescaled': {
        const leftShift = wide
          ? random.integer(0, 14)
          : random.pick([20, 20, random.integer(0, 20)]);
        const style = random.pick(['usual', 'dyadic', 'extreme'] as const);
        // Halving at least keeps the sum within 32 bits.
        const operand = (): readonly [number, number] => {
          const [m, s] = this.multiplier(random.magnitude(0.02, 0.49), style);
          return [m, Math.max(s, 32)];
        };
        const [multiplierA, shiftA] = operand();
        const [multiplierB, shiftB] = operand();
        const out = random.magnitude(1, 4) * gain * 2 ** -leftShift;
        const [multiplierOut, shiftOut] = this.multiplier(out, style);
        const rule = random.pick(fixedRules);
        return {
          kind,
          leftShift,
          multiplierA,
          shiftA,
          multiplierB,
          shiftB,
          multiplierOut,
          shiftOut,
          rule,
        };
      }
      case 'aligned': {
        const rule = random.pick(roundRules);
        if (random.chance(0.4)) {
          const shift = random.integer(0, 6);
          const multiplier = (): number =>
            Math.max(1, Math.round(2 ** (shift - random.integer(0, 2)) * gain));
          return { kind, multiplierA: multiplier(), multiplierB: multiplier(), shift, rule };
        }
        const shift = random.pick([random.integer(12, 30), random.integer(0, 62)]);
        const multiplier = (): number =>
          Math.min(
            Math.round(random.magnitude(0.2, 1.5) * gain * 2 ** Math.min(shift, 30)),
            2 ** 31 - 1,
          );
        return { kind, multiplierA: multiplier(), multiplierB: multiplier(), shift, rule };
      }
      case 'f32': {
        const form = random.pick(['separate', 'fused', 'direct'] as const);
        const decimal = random.chance(0.5); // round decimals separate the forms
        const ratio = (): number =>
          Math.fround(decimal ? random.integer(1, 30) / 20 : random.magnitude(0.1, 2)) * gain;
        const extreme = (): number => 2 ** random.integer(-64, 64);
        const pick = random.chance(0.1) ? extreme : ratio;
        return {
          kind,
          form,
          scaleA: Math.fround(pick()),
          scaleB: Math.fround(pick()),
          scaleOut: Math.fround(pick()),
        };
      }
      case 'requant': {
        const most = wide ? 2 ** 14 : 2 ** random.integer(0, 22);
        const [multiplierA, multiplierB] = [random.integer(0, most), random.integer(1, most)];
        const ends = ([0, 1] as const).map((end) =>
          operands.reduce((sum, { dtype, zeroPoint }, i) => {
            const multiplier = i === 0 ? multiplierA : multiplierB;
            return sum + BigInt(codeLimits(dtype)[end] - zeroPoint) * BigInt(multiplier);
          }, 0n),
        ) as [bigint, bigint];
        const reach = (wide ? 2 ** 14 : 2 ** 7) * most;
        return { kind, multiplierA, multiplierB, requant: this.requant(type, 1, reach, ends) };
      }
      case 'tables': {
        const most = 2 ** random.integer(4, 29);
        const table = (): Int32Array =>
          Int32Array.from({ length: 256 }, () => random.integer(-most, most));
        const ends = [BigInt(-2 * most), BigInt(2 * most)] as const;
        return {
          kind,
          tableA: table(),
          tableB: table(),
          requant: this.requant(type, 1, most, [...ends]),
        };
      }
    }
  }

  protected mul(): void {
    const { random } = this;
    const a = this.eightBits();
    const { channels } = this.tensor(a);
    const b = random.chance(0.5)
      ? this.globalPool(a, this.eightBitType())
      : this.partner(a, this.eightBitType());
    const type = this.convType();
    const output = this.append(type, this.tensor(a));
    this.push({
      op: 'mul',
      name: this.name('mul'),
      inputs: [a, b],
      output,
      requant: this.requant(type, channels, 2 ** 13, [-(2n ** 16n), 2n ** 16n]),
      clamp: this.clamp(type, channels),
    });
  }
}
