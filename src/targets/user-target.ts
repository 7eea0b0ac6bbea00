// SPDX-License-Identifier: Apache-2.0
// A user's own target, from JSON: a whole profile, or changes to a built-in one (`extends`).
import { z } from 'zod';

import { LastbitError, UsageError } from '../errors.js';
import { scaleProducts } from '../numeric/multipliers.js';
import { fixedRules } from '../numeric/requant.js';
import {
  divideRules,
  encodeRules,
  floatRules,
  nearestRules,
  roundRules,
  tableRules,
} from '../numeric/round.js';
import { allTargets, findTarget } from './index.js';
import { inheritedFrom } from './inherited.js';
import { object, whole } from './schema.js';
import type { StepForm, TargetSpec } from './target.js';
import { deviceLimits } from './user-limits.js';

/** One of a few names, which editors and starting points show. */
const oneOf = <const Names extends readonly string[]>(what: string, names: Names) =>
  z.enum(names).describe(`${what}: ${names.join(', ')}`);

const plain = oneOf('rounding of the shift', roundRules);
const rule = oneOf('rounding of the shift', fixedRules);
const divide = z.enum(divideRules);
const nearest = oneOf('rounding', nearestRules);
const product = oneOf('how the scales of input, weight and output are multiplied', scaleProducts);
const floatRule = oneOf('rounding', floatRules);

const constraints = object({
  activations: z
    .array(z.enum(['u8', 's8', 's16']))
    .min(1)
    .describe('types of codes between layers, the first is chosen'),
  weights: z
    .array(z.enum(['s8', 'u8', 's16']))
    .min(1)
    .describe('types of weights, the first is chosen'),
  weightBits: z.array(whole(2, 16)).min(1).describe('widths that weights may have, 2 to 16'),
  activationZeroPoint: z.boolean().describe('whether activations may have a zero point'),
  weightZeroPoint: z.boolean().describe('whether weights may have one'),
  perChannelWeights: z
    .boolean()
    .describe('whether each output channel may have a scale of its own'),
  narrowWeights: z
    .boolean()
    .describe('whether the lowest code of weights is left out (-127 to 127)'),
  scales: z.enum(['real', 'powerOfTwo']).describe('real or powerOfTwo'),
  perChannelClamp: z
    .boolean()
    .describe('whether the channels of a layer may have clamps of their own'),
  oddWeightAxes: z.literal('refused').optional(),
  retyped: z.literal('u8').optional(),
  wideOutputs: z
    .array(z.enum(['s16', 's32']))
    .describe('wider types that the last layer may write, s16 or s32'),
  biasLimit: whole(1, 2 ** 30).optional(),
  biasStep: whole(1, 2 ** 24).optional(),
});

const widths = {
  bits: whole(2, 32),
  greatestShift: whole(0, 62),
  encode: z.enum(encodeRules),
  rule: plain,
};
const step = z.discriminatedUnion('kind', [
  object({ kind: z.literal('saturate'), bits: whole(2, 62) }),
  object({ kind: z.literal('bias') }),
  object({
    kind: z.literal('scale'),
    ...widths,
    commonShift: z.boolean(),
    innerBits: whole(16, 60).optional(),
  }),
  object({ kind: z.literal('segments'), ...widths }),
]);

const code = z.discriminatedUnion('kind', [
  object({
    kind: z.literal('q31'),
    rule,
    multiplierBits: whole(4, 32).optional(),
    reduced: z.boolean().optional(),
  }),
  object({ kind: z.literal('f32bits'), rule }),
  object({ kind: z.literal('f32') }),
  object({ kind: z.literal('f64') }),
  object({ kind: z.literal('f32Rule'), rule: floatRule }),
  object({ kind: z.literal('pow2'), rule: plain }),
  object({ kind: z.literal('staged'), steps: z.array(step).min(1).max(8) }),
  object({ kind: z.literal('thresholds'), rule: z.enum(['halfUp', 'halfDown']) }),
]);

const mean = z.discriminatedUnion('kind', [
  object({ kind: z.literal('divide'), s8: divide, u8: divide }),
  object({ kind: z.literal('mean'), rule }),
  object({ kind: z.literal('f32') }),
  object({ kind: z.literal('f32ZeroInside') }),
  object({
    kind: z.literal('rawMean'),
    rule,
    rest: object({ vector: whole(2, 64), rule }).optional(),
    row: rule.optional(),
  }),
  object({ kind: z.literal('reciprocal'), bits: whole(2, 31), rule }),
  object({ kind: z.literal('flooredReciprocal'), bits: whole(2, 31), rule }),
  object({ kind: z.literal('code'), code }),
  object({
    kind: z.literal('twoReciprocals'),
    bits: whole(2, 31),
    greatestSide: whole(1, 65536),
    rule: plain,
  }),
  object({ kind: z.literal('dpuTable'), rule: plain }),
  object({ kind: z.literal('f32Inverse'), rule: floatRule }),
  object({ kind: z.literal('f32Window'), wholeImage: z.literal('globalPool').optional() }),
]);

const rest = object({ vector: whole(2, 64), code }).optional();
const recipe = object({ product: product.optional(), code: code.optional(), rest }).optional();
const kinds = object({
  depthwise: recipe,
  fullyConnected: recipe,
  fullyConnectedPerTensor: recipe,
  mul: recipe,
}).optional();

const requantize = z.discriminatedUnion('kind', [
  object({ kind: z.literal('code'), product: product.optional(), code: code.optional(), rest }),
  object({ kind: z.literal('f32'), rule: nearest }),
  object({ kind: z.literal('fractional'), bits: whole(1, 24), rule }),
  object({ kind: z.literal('f32Biased') }),
]);

const accumulator = object({
  bits: whole(16, 64).describe('width of the sum of products, 16 to 64'),
  overflow: z
    .enum(['wrap', 'saturate', 'saturateSymmetric', 'trap'])
    .describe('what a sum beyond it does: wrap, saturate, saturateSymmetric or trap'),
  when: z.enum(['each', 'end']).describe('whether it happens at each product or at the end'),
  products: z
    .enum(['exact', 'satPairs16'])
    .describe('exact, or pairs of products saturated to 16 bits (satPairs16)'),
  pairsInDepthwise: z.boolean().optional(),
  biasFirst: z.boolean().describe('whether the sum starts from the bias'),
});

const tableRounding = z.enum(tableRules);

const add = z.discriminatedUnion('kind', [
  object({
    kind: z.literal('rescaled'),
    leftShift: whole(0, 30),
    rule,
    folded: z.boolean().optional(),
    flooredU8: z.boolean().optional(),
    vector: whole(2, 64).optional(),
  }),
  object({ kind: z.literal('aligned'), bits: whole(2, 30), rule: plain }),
  object({
    kind: z.literal('f32'),
    form: z.enum(['separate', 'fused', 'direct']),
    zeroPointOutside: z.boolean().optional(),
  }),
  object({ kind: z.literal('pow2'), rule: plain }),
  object({ kind: z.literal('saturating') }),
  object({ kind: z.literal('weighted'), bits: whole(4, 24), code }),
]);

const interpolation = z.discriminatedUnion('kind', [
  object({
    kind: z.literal('integer'),
    bits: whole(1, 11),
    rule: plain,
    steps: z.enum(['fixed10', 'f32']),
  }),
  object({ kind: z.literal('f32Codes') }),
  object({ kind: z.literal('f32Shares') }),
  object({ kind: z.literal('f32Reals') }),
]);

const arithmetic = object({
  product,
  code: code.describe('how the sum of a convolution becomes a code of the output'),
  kinds,
  u8: object({ product: product.optional(), code: code.optional(), kinds }).optional(),
  s16: object({
    product: product.optional(),
    code: code.optional(),
    kinds,
    accumulatorBits: whole(16, 64),
    add: add.optional(),
    globalPool: mean.optional(),
    requantize: requantize.optional(),
    softmax: object({ rule, tables: z.enum(['f32', 'f64']) }).optional(),
  }).optional(),
  accumulator: accumulator.describe('where products are summed'),
  bias: object({
    bits: whole(8, 32),
    overflow: z.enum(['refuse', 'saturate']),
    shift: z.union([whole(0, 24), z.literal('least')]).optional(),
    rule: plain.optional(),
  }).optional(),
  clampRounding: nearest.describe('rounding of a clamp such as ReLU6 to a code'),
  add: add.describe('sum of two layers'),
  averagePool: mean.optional().describe('mean over a window'),
  globalPool: mean.describe('mean over a whole image'),
  resize: object({ s8: interpolation.optional(), u8: interpolation.optional() })
    .optional()
    .describe('bilinear interpolation; absent: there is none'),
  softmax: z
    .discriminatedUnion('kind', [
      object({ kind: z.literal('gemmlowp') }),
      object({ kind: z.literal('f32Table'), s8: tableRounding, u8: tableRounding }),
    ])
    .optional(),
  unary: object({
    hardSwish: oneOf('how it is computed', ['tflite16', 'f32HalfAway', 'f32HalfEven']),
    sigmoid: oneOf('how it is computed', ['f32HalfAway', 'f32HalfEven']),
    leakyRelu: oneOf('how it is computed', ['gemmlowp2', 'xnnpack', 'f32HalfEven']).optional(),
    gelu: oneOf('how it is computed', ['f32HalfAway', 'f32HalfEven']).optional(),
    requantize: requantize.describe('a change of scale alone'),
    rectify: requantize.optional(),
    retype: requantize.optional(),
    concat: requantize.optional(),
  }),
  inputQuantization: object({
    form: oneOf('x / scale, or x times 1 / scale', ['divide', 'multiplyInverse']),
    rule: nearest,
  }).describe('how real inputs become codes'),
});

const idForm = /^[a-z0-9]+(-[a-z0-9]+)*@[A-Za-z0-9.-]+$/;

const profile = object({
  id: z.string().regex(idForm, 'expected name@version, the name in kebab-case: "npu@1"'),
  extends: z.string().optional(),
  summary: z.string().min(1).optional(),
  source: z.string().min(1).optional(),
  evidence: z
    .literal('unverified', 'a target of your own is always "unverified"; leave the key away')
    .optional(),
  constraints,
  limits: deviceLimits.optional(),
  arithmetic,
  /** For editors; see `lastbit schema target`. */
  $schema: z.string().optional(),
});

/**
 * JSON Schema (draft 2020-12) of a target's file, for editors: a whole profile, or with `extends` any part of
 * one. What fits together only in parts is checked when the file is read.
 */
export function targetJsonSchema(): object {
  const whole = wholeTargetJsonSchema();
  const part = withoutRequired(whole);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'lastbit target',
    anyOf: [
      { ...part, required: ['id', 'extends'] },
      { ...whole, $schema: undefined },
    ],
  };
}

/** The same of a file without `extends`. */
export function wholeTargetJsonSchema(): JsonSchema {
  return z.toJSONSchema(profile, { io: 'input' });
}

type JsonSchema = Readonly<Record<string, unknown>>;

/** The same with every key optional but `kind`, which tells objects apart. */
function withoutRequired(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(schema)
    .filter(([key]) => key !== 'required' && key !== '$schema')
    .map(([key, value]) => [key, partial(value)] as const);
  const required = Array.isArray(schema.required) && schema.required.includes('kind');
  return Object.fromEntries([...entries, ...(required ? [['required', ['kind']] as const] : [])]);
}

function partial(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(partial);
  if (typeof value !== 'object' || value === null) return value;
  return withoutRequired(value as JsonSchema);
}

/**
 * A target from JSON text. With `"extends": "tflm"` only what differs is given: objects are merged
 * key by key, except that an object of another `kind` replaces the old one.
 * @param file name for errors
 * @throws UsageError `bad-target` naming file, key, what came and what is possible
 */
export function parseUserTarget(text: string, file: string): TargetSpec {
  const given = withoutDescriptions(parseObject(text, file)) as Record<string, unknown>;
  const { extends: parent, ...own } = given;
  const extended = parent === undefined ? undefined : extendedBy(parent, file);
  const base = extended === undefined ? {} : takenFrom(extended, own);
  const merged = merge(base, own) as Record<string, unknown>;
  const result = profile.safeParse(merged);
  if (!result.success) throw bad(file, describe(result.error.issues, merged, parent));
  const { data } = result;
  checkTogether(data, file);
  return {
    id: data.id,
    aliases: [],
    summary: data.summary ?? `a user's own${typeof parent === 'string' ? `, from ${parent}` : ''}`,
    source: data.source ?? file,
    evidence: 'unverified',
    provenBy: [],
    ...(extended === undefined ? {} : { inherited: inheritedFrom(extended, own) }),
    constraints: data.constraints,
    ...(data.limits === undefined ? {} : { limits: data.limits }),
    arithmetic: {
      ...data.arithmetic,
      averagePool: data.arithmetic.averagePool,
      softmax: data.arithmetic.softmax,
    } as TargetSpec['arithmetic'],
  };
}

function parseObject(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad(file, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (isObject(value)) return value;
  throw bad(file, 'expected a JSON object; start with {"id": "npu@1", "extends": "tflm"}');
}

/** Descriptions are for people; what is no text stays and is refused. */
function withoutDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDescriptions);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(
    ([key, part]) => key !== 'description' || typeof part !== 'string',
  );
  return Object.fromEntries(kept.map(([key, part]) => [key, withoutDescriptions(part)]));
}

function extendedBy(parent: unknown, file: string): TargetSpec {
  if (typeof parent !== 'string') throw bad(file, '"extends": expected the name of a profile');
  try {
    return findTarget(parent);
  } catch (error) {
    if (error instanceof LastbitError) throw bad(file, `"extends": ${error.detail}`);
    throw error;
  }
}

/** What a user's target takes over from a built-in one: constraints, limits and arithmetic. */
function takenFrom(
  { constraints, limits, arithmetic }: TargetSpec,
  own: Record<string, unknown>,
): Record<string, unknown> {
  const taken = { constraints, arithmetic: withoutReplaced(arithmetic, own) };
  return limits === undefined ? taken : { ...taken, limits };
}

/**
 * A general `product` or `code` of the user's is for all layers: what the parent says about kinds
 * of layers gives way to it.
 */
function withoutReplaced(
  arithmetic: TargetSpec['arithmetic'],
  own: Record<string, unknown>,
): Record<string, unknown> {
  const given = isObject(own.arithmetic) ? own.arithmetic : {};
  const replaced = ['product', 'code'].filter((key) => given[key] !== undefined);
  const strip = (part: unknown): unknown =>
    isObject(part)
      ? Object.fromEntries(
          Object.entries(part)
            .filter(([key]) => !replaced.includes(key))
            .map(([key, value]) => [key, strip(value)]),
        )
      : part;
  const { kinds, u8, s16 } = arithmetic;
  return {
    ...arithmetic,
    ...(kinds ? { kinds: strip(kinds) } : {}),
    ...(u8 ? { u8: strip(u8) } : {}),
    ...(s16 ? { s16: strip(s16) } : {}),
  };
}

/** `null` takes an optional part away. */
function merge(base: unknown, own: unknown): unknown {
  if (own === null) return undefined;
  if (!isObject(base) || !isObject(own)) return own;
  if (own.kind !== undefined && own.kind !== base.kind) return own;
  const keys = new Set([...Object.keys(base), ...Object.keys(own)]);
  return Object.fromEntries(
    Array.from(keys, (key) => [
      key,
      Object.hasOwn(own, key) ? merge(ownEntry(base, key), own[key]) : base[key],
    ]),
  );
}

function ownEntry(base: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(base, key) ? base[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Issue {
  readonly code?: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The first three issues: key, reason, what came. */
function describe(issues: readonly Issue[], given: unknown, parent: unknown): string {
  const texts = issues.slice(0, 3).map(({ path, message, code: kind }) => {
    const key = path.map(String).join('.');
    const value = path.reduce<unknown>(
      (at, part) => (isObject(at) || Array.isArray(at) ? (at as never)[part as never] : undefined),
      given,
    );
    if (kind === 'unrecognized_keys') return key === '' ? message : `in "${key}": ${message}`;
    const got = value === undefined ? 'it is missing' : `got ${JSON.stringify(value)}`;
    return `"${key}": ${message}, ${got}`;
  });
  const more = issues.length > 3 ? `; and ${issues.length - 3} more` : '';
  const missing = parent === undefined ? '; "extends": "tflm" fills in what is not given' : '';
  return texts.join('; ') + more + missing;
}

/** What single keys cannot show. */
function checkTogether({ id, arithmetic: a }: z.output<typeof profile>, file: string): void {
  if (allTargets.some((target) => target.id === id || target.aliases.includes(id))) {
    throw bad(file, `"id": "${id}" is a built-in profile; choose another name or version`);
  }
  const double = 'rule' in a.code && (a.code.rule === 'gemmlowp2' || a.code.rule === 'ruyx86');
  const name = 'rule' in a.code ? a.code.rule : '';
  if (double && a.accumulator.bits > 32) {
    throw bad(
      file,
      `"arithmetic.accumulator.bits": ${a.accumulator.bits} with the rule ${name}, which is defined up to 32 bits; set "arithmetic.code.rule" to halfUp or another plain rule`,
    );
  }
  const width = a.code.kind === 'q31' ? (a.code.multiplierBits ?? 32) : 32;
  if (double && width !== 32) {
    throw bad(
      file,
      `"arithmetic.code.multiplierBits": ${width} with the rule ${name}, which is defined for 32 bits; set "arithmetic.code.rule" to halfUp or another plain rule`,
    );
  }
  if (a.code.kind === 'staged') checkSteps(a.code.steps, file);
  if (a.accumulator.products === 'satPairs16' && a.accumulator.when === 'each') {
    throw bad(
      file,
      '"arithmetic.accumulator.when": "each" with products "satPairs16"; pairs saturate only with "end"',
    );
  }
}

/** A pipeline leads to the output's scale exactly once, by way of one inner scale at most. */
function checkSteps(steps: readonly StepForm[], file: string): void {
  const name = '"arithmetic.code.steps"';
  const isInner = (step: StepForm): boolean =>
    step.kind === 'scale' && step.innerBits !== undefined;
  const scales = steps.filter(({ kind }) => kind === 'scale' || kind === 'segments');
  const last = scales.at(-1);
  if (last === undefined || isInner(last) || scales.length > 2) {
    throw bad(
      file,
      `${name}: expected one "scale" without "innerBits" or one "segments", before it at most one "scale" with "innerBits"`,
    );
  }
  if (scales.length === 2 && !isInner(scales[0]!)) {
    throw bad(file, `${name}: two steps scale to the output; give the first "innerBits"`);
  }
  if (steps.filter(({ kind }) => kind === 'bias').length > 1) {
    throw bad(file, `${name}: the bias is added twice; leave one "bias" away`);
  }
  if (steps.findIndex(({ kind }) => kind === 'bias') > steps.indexOf(last)) {
    throw bad(file, `${name}: "bias" comes after the output's scale; put it before`);
  }
}

function bad(file: string, reason: string): UsageError {
  return new UsageError('bad-target', file, reason);
}
