// SPDX-License-Identifier: Apache-2.0
import { prove, type LayerProof } from '../prove/index.js';
import type { Program } from '../program/program.js';
import type { TargetSpec } from '../targets/target.js';

/** Layers that are named; the certificate has the others. */
const named = 3;

/**
 * What a target's accumulators cannot be shown to hold, as a warning before the loss: how many operations,
 * how many bits they need, the worst of them by name. Undefined where no image can leave an accumulator;
 * 32 bits that wrap once are not looked at, as no layer of 8-bit codes fills them.
 */
export function narrowAccumulators(program: Program, target: TargetSpec): string | undefined {
  const { bits, products } = target.arithmetic.accumulator;
  if (bits >= 32 && products === 'exact') return undefined;
  const { layers } = prove(program);
  const failing = layers.filter(({ ok }) => !ok);
  if (failing.length === 0) return undefined;
  const worst = [...failing].sort((a, b) => b.bitsNeeded - a.bitsNeeded);
  const needed = worst[0]!.bitsNeeded;
  const names = worst
    .slice(0, named)
    .map(({ name, bitsNeeded }) => `"${name.slice(0, 60)}" (${bitsNeeded})`)
    .join(', ');
  const more = failing.length > named ? ` and ${failing.length - named} more` : '';
  return `${failing.length} of ${layers.length} accumulators can leave their range on some image: ${reasonOf(worst, bits, needed)}: ${names}${more}; lastbit prove names all with the codes that do it, compare shows what images do`;
}

function reasonOf(failing: readonly LayerProof[], bits: number, needed: number): string {
  const pairs = failing.filter(({ pairs: sums }) => sums?.ok === false).length;
  if (needed <= bits && pairs > 0) return 'pairs of products saturate at 16 bits; bits of the sums';
  const { overflow = 'wrap' } = failing[0]!;
  return `${bits} bits that ${verbs[overflow]}, ${needed} needed`;
}

const verbs = {
  wrap: 'wrap',
  saturate: 'saturate',
  saturateSymmetric: 'saturate',
  trap: 'trap',
} as const;
