// SPDX-License-Identifier: Apache-2.0
// CMSIS-NN's published vectors, where a checkout of ARM-software/CMSIS-NN is at hand.
import { Engine } from '../../src/engine/engine.js';
import { interpret } from '../../src/program/interpret.js';
import type { Program } from '../../src/program/program.js';
import { cmsisSets } from './cmsis-sets.js';

const checkout = process.env.LASTBIT_CMSIS_NN;

(checkout === undefined ? describe.skip : describe)(
  'CMSIS-NN vectors (skipped where LASTBIT_CMSIS_NN names no checkout of ARM-software/CMSIS-NN)',
  () => {
    const { sets, left } =
      checkout === undefined ? { sets: [], left: new Map() } : cmsisSets(checkout);

    const executors: readonly (readonly [string, (program: Program) => Run])[] = [
      ['the interpreter', (program) => (codes) => interpret(program, codes).outputs[0]!.data],
      ['the engine', engineOf],
    ];

    test.each(executors)('%s gives every published code', (_, load) => {
      const counts = new Map<string, { sets: number; values: number }>();
      const wrong: string[] = [];
      for (const { name, kind, program, inputs, expected } of sets) {
        const run = load(program);
        const got = inputs.flatMap((codes) => Array.from(run(codes), Number));
        const differing = expected.filter((code, i) => code !== got[i]).length;
        if (differing > 0 || got.length !== expected.length || got.length === 0) {
          wrong.push(`${name} (${kind}): ${differing} of ${expected.length}, got ${got.length}`);
        }
        const count = counts.get(kind) ?? { sets: 0, values: 0 };
        counts.set(kind, { sets: count.sets + 1, values: count.values + got.length });
      }
      if (process.env.LASTBIT_VERBOSE !== undefined) console.log(counts, left);
      expect(wrong).toEqual([]);
      expect(sets.length).toBeGreaterThan(140);
    });
  },
);

type Run = (codes: Parameters<typeof interpret>[1]) => ArrayLike<number>;

function engineOf(program: Program): Run {
  const engine = Engine.load(program);
  return (codes) => engine.runSync(codes).outputs[0]!.data;
}
