// SPDX-License-Identifier: Apache-2.0
// What ONNX's operators cannot say is refused by operation, target and way out, before anything is
// written; what only looks like it is not.
import { writeInteger } from '../../src/export-integer/write.js';
import type { Accumulator, Program } from '../../src/program/program.js';
import { compareInOnnxruntime } from './in-onnxruntime.js';
import { layersOf, plain, type Layer } from './small-programs.js';

const image = { dtype: 'u8', height: 1, width: 256, channels: 1, zeroPoint: 128 } as const;
const codes = Uint8Array.from({ length: 256 }, (_, i) => i);

const withAccumulator = (given: Partial<Accumulator>, layer: Partial<Layer> = {}): Program =>
  layersOf(image, [{ name: 'conv', accumulator: { ...plain, ...given }, ...layer }]);

/** A sum that leaves 16 bits. */
const large = { bias: Int32Array.of(32760) };
const narrow = { bits: 16, when: 'each' } as const;

/** Two rows of one weight: a pair of terms. */
const pair = (weight: number): Partial<Layer> => ({
  kernel: [2, 1],
  pads: [0, 0, 1, 0],
  weights: Int8Array.of(weight, weight),
});

const refused: readonly (readonly [string, Program, string])[] = [
  [
    'saturation at each addition',
    withAccumulator({ ...narrow, overflow: 'saturate' }, large),
    'its accumulator saturates to 16 bits at each addition',
  ],
  [
    'traps',
    withAccumulator({ ...narrow, overflow: 'trap' }, large),
    'its accumulator of 16 bits may trap',
  ],
  [
    'saturating pairs',
    withAccumulator({ products: 'satPairs16' }, pair(127)),
    'pairs of its products saturate to 16 bits',
  ],
  [
    'products of more than 64 bits',
    layersOf({ ...image, dtype: 's16', zeroPoint: 0 }, [
      {
        name: 'conv',
        kernel: [4, 1],
        pads: [0, 0, 3, 0],
        weightType: 's16',
        weights: new Int16Array(4).fill(32767),
        accumulator: { ...plain, bits: 48 },
        bias: Int32Array.of(2 ** 31 - 1),
        requant: {
          kind: 'fixed',
          rule: 'halfUp',
          multiplier: Int32Array.of(2 ** 31 - 1),
          shift: Uint8Array.of(62),
        },
      },
    ]),
    'an intermediate value needs 65 bits and ONNX has 64',
  ],
];

test.each(refused)('%s', (_, program, why) => {
  expect(() => writeInteger(program)).toThrow(
    `[no-integer-form] operation "conv" (conv, target test@1): ${why}`,
  );
});

test.each([
  ['saturation', withAccumulator({ ...narrow, overflow: 'saturate' })],
  ['traps', withAccumulator({ ...narrow, overflow: 'trap' })],
  ['pairs', withAccumulator({ products: 'satPairs16' }, pair(64))],
])('%s that no image reaches is written', async (_, program) => {
  const { differing } = await compareInOnnxruntime(program, [codes]);
  expect(differing).toEqual([]);
});
