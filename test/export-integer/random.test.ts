// SPDX-License-Identifier: Apache-2.0
// Random programs of all operations, types, rules and forms: what the file computes in onnxruntime
// is what the interpreter says, or the file is refused for one of the known reasons.
import { ModelError } from '../../src/errors.js';
import { opcodes } from '../../src/program/format.js';
import type { Op, Program } from '../../src/program/program.js';
import { randomCodes, randomProgram } from '../program/random-program.js';
import { compareInOnnxruntime } from './in-onnxruntime.js';

const reasons = [
  'saturates to \\d+ bits at each addition',
  'pairs of its products saturate',
  'may trap',
  'by fused multiply-adds',
  'an intermediate value needs \\d+ bits',
];

interface Outcome {
  readonly written: number;
  readonly wrong: readonly string[];
}

async function outcome(program: Program, seed: number): Promise<Outcome> {
  try {
    const { differing } = await compareInOnnxruntime(program, [randomCodes(program, seed + 1)]);
    return { written: 1, wrong: differing.map((what) => `seed ${seed} ${what}`) };
  } catch (error) {
    if (!(error instanceof ModelError) || error.code !== 'no-integer-form') throw error;
    const known = reasons.some((reason) => new RegExp(reason).test(error.message));
    return { written: 0, wrong: known ? [] : [`seed ${seed} ${error.message}`] };
  }
}

async function runSeeds(begin: number, end: number, ops?: readonly Op['op'][]): Promise<Outcome> {
  let written = 0;
  const wrong: string[] = [];
  for (let seed = begin; seed < end; ++seed) {
    const result = await outcome(randomProgram(seed, ops === undefined ? {} : { ops }), seed);
    written += result.written;
    wrong.push(...result.wrong);
  }
  return { written, wrong };
}

/** More programs for a longer look: LASTBIT_SEEDS=20 runs 20 times as many. */
const times = Number(process.env.LASTBIT_SEEDS ?? 1);

test.each(opcodes)('%s', async (kind) => {
  const { written, wrong } = await runSeeds(3000, 3000 + 5 * times, [kind]);
  expect(wrong).toEqual([]);
  expect(written).toBeGreaterThan(0);
});

test('chains of all operations', async () => {
  const { written, wrong } = await runSeeds(4000, 4000 + 40 * times);
  expect(wrong).toEqual([]);
  expect(written).toBeGreaterThan(20 * times);
});
