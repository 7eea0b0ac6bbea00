// SPDX-License-Identifier: Apache-2.0
// Three executors, one meaning: the interpreter (written from the specification), the C++ reference
// kernels, and whatever kernels this CPU takes by default. Every tensor of every program is compared.
import { availableIsas, Engine, type EngineOptions } from '../../src/engine/engine.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { floatRules, roundRules } from '../../src/numeric/round.js';
import type { RunResult } from '../../src/program/executor.js';
import { opcodes } from '../../src/program/format.js';
import { interpret } from '../../src/program/interpret.js';
import type { Op, Program, Requant } from '../../src/program/program.js';
import { randomCodes, randomProgram } from '../program/random-program.js';

/** What two results differ in, in words; undefined if in nothing. */
function difference(expected: RunResult, actual: RunResult): string | undefined {
  if (String(expected.trap?.value) !== String(actual.trap?.value)) return 'trap value';
  if (expected.trap?.layer !== actual.trap?.layer) return 'trapped layer';
  if (expected.trap?.element !== actual.trap?.element) return 'trapped element';
  if (expected.outputs.length !== actual.outputs.length) return 'number of outputs';
  if ([...expected.taps.keys()].join() !== [...actual.taps.keys()].join()) return 'names of taps';
  for (const [name, { data }] of expected.taps) {
    const at = firstDifference(data, actual.taps.get(name)!.data);
    if (at >= 0) return `${name}[${at}]: ${data[at]} and ${actual.taps.get(name)!.data[at]}`;
  }
  for (const [i, { data }] of expected.outputs.entries()) {
    if (firstDifference(data, actual.outputs[i]!.data) >= 0) return `output ${i}`;
  }
  return undefined;
}

function firstDifference(a: Codes, b: Codes): number {
  if (a.length !== b.length) return 0;
  return a.findIndex((code, i) => code !== b[i]);
}

function disagreement(
  program: Program,
  codes: Codes,
  expected: RunResult,
  options: EngineOptions,
): string | undefined {
  const engine = Engine.load(program, options);
  const first = difference(expected, engine.runSync(codes, { taps: 'all' }));
  // Again in the same arena: nothing may depend on what it held before.
  const second = difference(expected, engine.runSync(codes, { taps: 'all' }));
  const kernels = engine.layers.map(({ name, kernel }) => `${name}: ${kernel}`).join(', ');
  engine.close();
  const found = first ?? second;
  return found === undefined ? undefined : `${JSON.stringify(options)} ${found} (${kernels})`;
}

/** Runs programs of seeds [begin, end) on all configurations; returns the disagreements. */
function compare(begin: number, end: number, ops?: readonly Op['op'][]): string[] {
  const configurations: EngineOptions[] = [
    { reference: true },
    { reference: true, threads: 3 },
    ...availableIsas().map((isa) => ({ isa })),
    { threads: 2 },
  ];
  const found: string[] = [];
  for (let seed = begin; seed < end; ++seed) {
    const program = randomProgram(seed, ops === undefined ? {} : { ops });
    const codes = randomCodes(program, seed + 1);
    const expected = interpret(program, codes, { taps: 'all' });
    for (const options of configurations) {
      const what = disagreement(program, codes, expected, options);
      if (what !== undefined) found.push(`seed ${seed}: ${what}`);
    }
  }
  return found;
}

/** More programs for a longer look: LASTBIT_SEEDS=20 runs 20 times as many. */
const times = Number(process.env.LASTBIT_SEEDS ?? 1);

/** All s8 codes, times 3, through a requantization. */
function allCodes(requant: Requant): Program {
  const image = { height: 16, width: 16, channels: 1, scale: 1 };
  const window = { kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] } as const;
  return {
    target: 'test@1',
    metadata: {},
    tensors: [
      { ...image, name: 'x', dtype: 's8', zeroPoint: 0 },
      { ...image, name: 'y', dtype: 's8', zeroPoint: -3 },
    ],
    input: 0,
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    outputs: [1],
    ops: [
      {
        op: 'conv',
        name: 'conv',
        inputs: [0],
        output: 1,
        ...window,
        dilations: [1, 1],
        groups: 1,
        weightType: 's8',
        weights: Int8Array.of(3),
        weightZeroPoints: Int32Array.of(0),
        bias: Int32Array.of(0),
        accumulator: {
          bits: 32,
          overflow: 'wrap',
          when: 'end',
          products: 'exact',
          biasFirst: false,
        },
        requant,
        clamp: { lo: Int32Array.of(-128), hi: Int32Array.of(127) },
      },
    ],
  };
}

/** Each rule on ties of both signs, in a shift of 1 and 3 and on segments. */
const tyingRequants: readonly (readonly [string, Requant])[] = [
  ...roundRules.flatMap((rule) => [
    ...[1, 3].map((s): readonly [string, Requant] => [
      `shift ${s} ${rule}`,
      { kind: 'stages', stages: [{ kind: 'shift', shift: Int8Array.of(s), rule }] },
    ]),
    [
      `segments ${rule}`,
      {
        kind: 'stages',
        stages: [
          {
            kind: 'segments',
            start: BigInt64Array.of(-100n, 0n),
            multiplier: Int32Array.of(-1, 3),
            shift: Uint8Array.of(2, 3),
            offset: BigInt64Array.of(7n, 0n),
            rule,
          },
        ],
      },
    ] as const,
  ]),
  ...floatRules.map(
    (rule) => [rule, { kind: 'f32Rule', scale: Float32Array.of(0.25), rule }] as const,
  ),
];

test.each(tyingRequants)('ties: %s', (_, requant) => {
  const program = allCodes(requant);
  const codes = Int8Array.from({ length: 256 }, (_code, i) => i - 128);
  const expected = interpret(program, codes, { taps: 'all' });
  for (const options of [{ reference: true }, ...availableIsas().map((isa) => ({ isa }))]) {
    expect(disagreement(program, codes, expected, options)).toBeUndefined();
  }
});

/** Sums of three u8 codes against decimal scales, whose means come next to ties. */
test.each([
  [0.1, 0.2],
  [0.3, 0.2],
  [0.7, 1.4],
  [0.05, 0.1],
])('means in float32, scales %f and %f', (scaleIn, scaleOut) => {
  const image = { width: 256, channels: 4, scale: 1, dtype: 'u8' } as const;
  const base = allCodes({ kind: 'none' });
  const program: Program = {
    ...base,
    tensors: [
      { ...image, name: 'x', height: 3, zeroPoint: 128 },
      { ...image, name: 'y', height: 1, zeroPoint: 100 },
    ],
    ops: [
      {
        op: 'averagePool',
        name: 'mean',
        inputs: [0],
        output: 1,
        kernel: [3, 1],
        strides: [1, 1],
        pads: [0, 0, 0, 0],
        form: {
          kind: 'f32Window',
          scaleIn: Math.fround(scaleIn),
          scaleOut: Math.fround(scaleOut),
        },
        clamp: { lo: Int32Array.of(0), hi: Int32Array.of(255) },
      },
    ],
  };
  const codes = Uint8Array.from({ length: 3 * 1024 }, (_code, i) => (i * 37 + (i >> 5) * 11) % 256);
  const expected = interpret(program, codes, { taps: 'all' });
  expect(disagreement(program, codes, expected, { reference: true })).toBeUndefined();
  expect(disagreement(program, codes, expected, {})).toBeUndefined();
});

describe('interpreter, reference and SIMD kernels agree in every bit', () => {
  test.each(opcodes)('%s', (kind) => {
    expect(compare(1000, 1000 + 10 * times, [kind])).toEqual([]);
  });

  test('chains of all operations', () => {
    expect(compare(2000, 2000 + 60 * times)).toEqual([]);
  });
});
