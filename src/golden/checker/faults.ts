// SPDX-License-Identifier: Apache-2.0
// A dictionary of faults: what a convolution would write if its hardware had one of the usual mistakes.
import { codeLimits, type CodeType } from '../../numeric/code-types.js';
import { fixedRules, type FixedRule } from '../../numeric/requant.js';
import { type FloatRule, floatRules, roundRules } from '../../numeric/round.js';
import { requantizer } from '../../program/interpret/finish.js';
import { entry } from '../../program/per-channel.js';
import type { ConvOp, Requant } from '../../program/program.js';
import type { LayerNumbers } from './layer-numbers.js';

/** A mistake in words, and the code that it makes of an element, by its index in NHWC. */
export interface Fault {
  readonly name: string;
  readonly codeAt: (index: number) => number;
}

/** The faults that a layer's arithmetic can have; none where its output is the sums themselves. */
export function faultsOf(layer: LayerNumbers): readonly Fault[] {
  const { requant } = layer.op;
  if (requant.kind === 'none') return [];
  const right: CodeAt = (index) => layer.accumulators[index]!;
  return [
    ...otherRequants(requant).map(([name, other]) => fault(name, finished(layer, other, right))),
    ...faultsBehind(layer),
    ...otherAccumulators(layer).map(([name, sum]) => fault(name, finished(layer, requant, sum))),
  ];
}

type CodeAt = Fault['codeAt'];

const fault = (name: string, codeAt: CodeAt): Fault => ({ name, codeAt });

const ruleNames: Readonly<Record<FixedRule | FloatRule, string>> = {
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
  addHalfFloor: 'adds a half in float32, then rounds down',
};

/** The same factors with another rounding, another shift, or those of channel 0. */
function otherRequants(requant: Requant): [string, Requant][] {
  switch (requant.kind) {
    case 'fixed': {
      const first = {
        multiplier: requant.multiplier.slice(0, 1),
        shift: requant.shift.slice(0, 1),
      };
      const moved = (by: number): Requant => ({
        ...requant,
        shift: requant.shift.map((s) => Math.min(Math.max(s + by, 1), 62)),
      });
      return [
        ...otherRules(fixedRules, requant.rule, (rule) => ({ ...requant, rule })),
        ...otherShifts(moved),
        ['multiplier and shift of channel 0 for all', { ...requant, ...first }],
      ];
    }
    case 'shift': {
      const moved = (by: number): Requant => ({
        ...requant,
        shift: requant.shift.map((s) => Math.min(Math.max(s + by, -31), 62)),
      });
      return [
        ...otherRules(roundRules, requant.rule, (rule) => ({ ...requant, rule })),
        ...otherShifts(moved),
        ['shift of channel 0 for all', { ...requant, shift: requant.shift.slice(0, 1) }],
      ];
    }
    case 'f32':
    case 'f32Rule': {
      const { scale } = requant;
      const own = requant.kind === 'f32' ? 'halfEven' : requant.rule;
      return [
        ...otherRules(floatRules, own, (rule) => ({ kind: 'f32Rule', scale, rule })),
        ['scale of channel 0 for all', { ...requant, scale: scale.slice(0, 1) }],
      ];
    }
    case 'f64':
    case 'stages':
    case 'none':
      return [];
  }
}

function otherRules<Rule extends FixedRule | FloatRule>(
  rules: readonly Rule[],
  own: Rule,
  withRule: (rule: Rule) => Requant,
): [string, Requant][] {
  return rules.filter((rule) => rule !== own).map((rule) => [ruleNames[rule], withRule(rule)]);
}

const otherShifts = (moved: (by: number) => Requant): [string, Requant][] => [
  ['one shift too few', moved(-1)],
  ['one shift too many', moved(1)],
];

/** What is done wrongly to the right result of requantization. */
function faultsBehind(layer: LayerNumbers): Fault[] {
  const { op, accumulators: sums, channels, zeroPoint, dtype } = layer;
  const requantize = requantizer(op.requant);
  const [min, max] = codeLimits(dtype);
  const channel = (index: number): number => index % channels;
  const real: CodeAt = (index) => requantize(sums[index]!, channel(index));
  return [
    fault('output zero point missing', (index) => clamped(op, real(index), channel(index))),
    fault('activation missing (clamp to the type alone)', (index) =>
      within(real(index) + zeroPoint, min, max),
    ),
    fault('saturation missed (result wraps)', (index) => wrapped(real(index) + zeroPoint, dtype)),
  ];
}

/** Sums that are wrong before they are requantized. */
function otherAccumulators(layer: LayerNumbers): [string, CodeAt][] {
  const { op, accumulators: sums, channels, otherSums } = layer;
  return [
    ['bias missing', (index) => sums[index]! - op.bias[index % channels]!],
    ['accumulator of 16 bits wraps', (index) => wrapped(sums[index]!, 's16')],
    ['accumulator of 16 bits saturates', (index) => within(sums[index]!, -32768, 32767)],
    ...[...otherSums].map(([name, other]): [string, CodeAt] => [name, (index) => other[index]!]),
  ];
}

/** Requantized, with its zero point, clamped. */
function finished(layer: LayerNumbers, requant: Requant, sumAt: CodeAt): CodeAt {
  const requantize = requantizer(requant);
  return (index) => {
    const channel = index % layer.channels;
    return clamped(layer.op, requantize(sumAt(index), channel) + layer.zeroPoint, channel);
  };
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
