// SPDX-License-Identifier: Apache-2.0
// The two layers that the designs of this folder compute, as a program and its vectors.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { writeNpy } from '../../src/data/index.js';
import { goldenVectors } from '../../src/pipeline/golden.js';
import { writeProgramFile } from '../../src/program/file.js';
import type { ConvOp, Program } from '../../src/program/program.js';
import { Random } from '../program/random.js';

const [height, width] = [6, 5];

/** A tensor of the program. */
const tensor = (name: string, channels: number, zeroPoint: number) =>
  ({ name, dtype: 's8', height, width, channels, zeroPoint, scale: 1 }) as const;

/**
 * A pointwise layer that rounds twice and a depthwise one that rounds half away from zero. Half of the
 * multipliers are powers of two, so that ties of either sign are frequent; the last two channels have sums
 * beyond 16 bits.
 */
function twoLayers(): Program {
  const random = new Random(7);
  const conv = (given: Pick<ConvOp, 'name' | 'inputs' | 'output' | 'groups'>, more: object) => ({
    ...{ op: 'conv', strides: [1, 1], dilations: [1, 1], weightType: 's8', ...given },
    weightZeroPoints: Int32Array.of(0),
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    ...more,
  });
  const isWide = (o: number): boolean => o >= 10;
  const multiplier = Int32Array.from({ length: 12 }, (_, o) =>
    o % 2 === 0 ? 2 ** 30 : random.integer(2 ** 30, 2 ** 31 - 1),
  );
  const shift = Uint8Array.from({ length: 12 }, (_, o) => (isWide(o) ? 40 : 34 + (o % 3)));
  const bias = () =>
    Int32Array.from({ length: 12 }, (_, o) =>
      isWide(o) ? 25000 * (o % 2 === 0 ? 1 : -1) : random.integer(-200, 200),
    );
  const weights = (perChannel: number) =>
    Int8Array.from({ length: 12 * perChannel }, (_, i) => {
      const bound = isWide(Math.floor(i / perChannel)) ? 127 : 7;
      return random.integer(-bound, bound);
    });
  const pointwise = conv(
    { name: 'pointwise "one"', inputs: [0], output: 1, groups: 1 },
    {
      ...{ kernel: [1, 1], pads: [0, 0, 0, 0], bias: bias() },
      weights: weights(8),
      requant: { kind: 'fixed', rule: 'gemmlowp2', multiplier, shift },
      clamp: { lo: Int32Array.of(-128), hi: Int32Array.of(100) },
    },
  );
  const depthwise = conv(
    { name: 'depthwise', inputs: [1], output: 2, groups: 12 },
    {
      ...{ kernel: [3, 3], pads: [1, 1, 1, 1], bias: bias() },
      weights: weights(9),
      requant: { kind: 'fixed', rule: 'halfAway', multiplier, shift },
      clamp: { lo: Int32Array.of(-100), hi: Int32Array.of(90) },
    },
  );
  return {
    ...{ target: 'rtl@1', metadata: {}, input: 0, outputs: [2] },
    tensors: [tensor('x', 8, -3), tensor('y', 12, 5), tensor('z', 12, -4)],
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    ops: [pointwise, depthwise] as unknown as readonly ConvOp[],
  };
}

/** Writes the layers' vectors with both kinds of checkers into `folder`/vectors. */
export async function writeLayers(folder: string): Promise<string> {
  const random = new Random(8);
  const codes = Int8Array.from({ length: height * width * 8 }, () => random.integer(-128, 127));
  const model = join(folder, 'layers.lbp');
  const input = join(folder, 'codes.npy');
  const out = join(folder, 'vectors');
  writeProgramFile(model, twoLayers());
  writeFileSync(input, writeNpy({ dtype: 's8', shape: [1, height, width, 8], data: codes }));
  await goldenVectors({ model, input, out, formats: ['npy', 'mem'], checkers: ['sv', 'cocotb'] });
  return out;
}
