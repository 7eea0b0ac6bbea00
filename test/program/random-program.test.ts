// SPDX-License-Identifier: Apache-2.0
import { codeLimits } from '../../src/numeric/code-types.js';
import { fixedRules } from '../../src/numeric/requant.js';
import { floatRules, roundRules } from '../../src/numeric/round.js';
import { checkProgram } from '../../src/program/check.js';
import { decode } from '../../src/program/decode.js';
import { encode } from '../../src/program/encode.js';
import type { RunResult } from '../../src/program/executor.js';
import { interpret } from '../../src/program/interpret.js';
import type { AddForm, Op, Program } from '../../src/program/program.js';
import { randomCodes, randomProgram } from './random-program.js';

const seeds = Array.from({ length: 400 }, (_, i) => i + 1);
const programs = seeds.map((seed) => randomProgram(seed));

/** Every word that a program says about how it computes: `conv`, `add rescaled gemmlowp2`... */
function features(op: Op): string[] {
  switch (op.op) {
    case 'conv':
      return [
        ...Object.entries(op.accumulator).map(([key, value]) => `acc ${key} ${value}`),
        ...requantFeatures(op.requant),
        `weights ${op.weightType}`,
      ];
    case 'add':
      return addFeatures(op.form);
    case 'mul':
      return requantFeatures(op.requant);
    case 'averagePool':
      return op.form.kind === 'divide' ? [`divide ${op.form.rule}`] : [`pool ${op.form.kind}`];
    case 'softmax':
      return [`softmax ${op.form.kind} ${op.form.kind === 'f32Table' ? op.form.rule : ''}`];
    case 'maxPool':
    case 'concat':
    case 'pad':
    case 'reshape':
    case 'splice':
      return [];
    case 'resize':
      return [`resize ${op.form.kind}`];
    case 'lut':
      return [`lut ${op.table.length}`];
  }
}

function addFeatures(form: AddForm): string[] {
  if (form.kind === 'requant' || form.kind === 'tables')
    return [`add ${form.kind}`, ...requantFeatures(form.requant)];
  return [`add ${form.kind} ${form.kind === 'f32' ? form.form : form.rule}`];
}

function requantFeatures(requant: Extract<Op, { op: 'mul' }>['requant']): string[] {
  if (requant.kind === 'stages') {
    return requant.stages.flatMap((stage) => [
      `stage ${stage.kind} ${'rule' in stage ? stage.rule : ''}`,
      `stages ${requant.stages.length}`,
      ...(stage.kind === 'thresholds' ? [`strict ${stage.strict}`] : []),
    ]);
  }
  return [`requant ${requant.kind} ${'rule' in requant ? requant.rule : ''}`];
}

const expectedFeatures = [
  ...['conv', 'add', 'mul', 'averagePool', 'maxPool', 'concat', 'pad', 'reshape', 'lut', 'softmax'],
  ...fixedRules.flatMap((rule) => [`requant fixed ${rule}`, `add rescaled ${rule}`]),
  ...roundRules.flatMap((rule) => [`requant shift ${rule}`, `add aligned ${rule}`]),
  ...['add f32 separate', 'add f32 fused', 'add f32 direct', 'requant f32 ', 'requant none '],
  ...['wrap', 'saturate', 'saturateSymmetric', 'trap'].map((mode) => `acc overflow ${mode}`),
  ...['acc when each', 'acc when end', 'acc products satPairs16', 'acc biasFirst true'],
  ...floatRules.map((rule) => `requant f32Rule ${rule}`),
  ...['requant f64 ', 'add tables', 'lut 256', 'lut 65536', 'softmax wideTable ', 'splice'],
  ...['resize integer', 'resize f32Codes', 'resize f32Reals', 'resize f32Shares'],
  ...roundRules.flatMap((rule) => [`stage shift ${rule}`, `stage segments ${rule}`]),
  ...['add', 'multiply', 'saturate', 'clamp', 'thresholds'].map((kind) => `stage ${kind} `),
  ...['strict true', 'strict false', 'stages 1', 'stages 4', 'add requant', 'pool f32Window'],
  ...['divide halfAway', 'divide halfUp', 'divide trunc0', 'pool requant'],
  ...['softmax gemmlowp ', 'softmax f32Table halfAway', 'softmax f32Table truncHalf'],
  ...['weights s8', 'weights u8', 'weights s16', 'type u8', 'type s8', 'type s16', 'type s32'],
];

describe('random programs', () => {
  test('are valid, and equal for equal seeds', () => {
    for (const [i, program] of programs.entries()) {
      expect(() => {
        checkProgram(program);
      }).not.toThrow();
      if (i < 50) expect(Buffer.compare(encode(randomProgram(seeds[i]!)), encode(program))).toBe(0);
    }
  });

  test('reach every operation, type, rule and form', () => {
    const reached = new Set(
      programs.flatMap((program) => [
        ...program.tensors.map(({ dtype }) => `type ${dtype}`),
        ...program.ops.flatMap((op) => [op.op, ...features(op)]),
      ]),
    );
    expect(expectedFeatures.filter((feature) => !reached.has(feature))).toEqual([]);
  });

  test('survive encode and decode', () => {
    for (const [i, program] of programs.entries()) {
      const bytes = encode(program);
      const decoded = decode(bytes);
      expect(Buffer.compare(encode(decoded), bytes)).toBe(0);
      if (i < 60) expect(decoded).toEqual(program);
    }
  });

  test('run, stay within the clamps and types, and mostly give more than one code', () => {
    let trapped = 0;
    let varied = 0;
    for (const [i, program] of programs.entries()) {
      const result = interpret(program, randomCodes(program, seeds[i]!), { taps: 'all' });
      if (result.trap !== undefined) ++trapped;
      else if (new Set(result.outputs[0]!.data).size > 1) ++varied;
      expectWithinClamps(program, result);
    }
    expect(trapped).toBeGreaterThan(0);
    expect(varied / programs.length).toBeGreaterThan(0.6);
  });
});

function expectWithinClamps(program: Program, { taps }: RunResult): void {
  for (const op of program.ops) {
    const tap = taps.get(program.tensors[op.output]!.name);
    if (tap === undefined) continue;
    const [least, greatest] = codeLimits(tap.dtype);
    const clamp = 'clamp' in op ? op.clamp : { lo: [least], hi: [greatest] };
    const outside = tap.data.findIndex((code, i) => {
      const c = i % tap.channels;
      const [lo, hi] = [clamp.lo, clamp.hi].map((bound) =>
        bound.length === 1 ? bound[0]! : bound[c]!,
      );
      return code < lo! || code > hi!;
    });
    if (outside !== -1) throw new Error(`${op.name}: code ${outside} is outside of the clamp`);
  }
}
