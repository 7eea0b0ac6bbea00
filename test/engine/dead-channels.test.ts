// SPDX-License-Identifier: Apache-2.0
// A trained net's dead channels carry a scale next to nothing and a saturated bias. The engine
// writes their one code without computing it; the interpreter computes it.
import { availableIsas, Engine } from '../../src/engine/engine.js';
import { interpret } from '../../src/program/interpret.js';
import type { Program } from '../../src/program/program.js';

const channels = 40;
const alive = (o: number) => o % 3 !== 1;
const perChannel = <T>(make: (o: number) => T) =>
  Array.from({ length: channels }, (_, o) => make(o));

function deadChannels(bias: number): Program {
  const tensor = { dtype: 's8', height: 5, width: 7, scale: 1 } as const;
  return {
    target: 'test@1',
    metadata: {},
    tensors: [
      { ...tensor, name: 'x', channels: 3, zeroPoint: -3 },
      { ...tensor, name: 'y', channels, zeroPoint: -100 },
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
        kernel: [1, 1],
        strides: [1, 1],
        dilations: [1, 1],
        pads: [0, 0, 0, 0],
        groups: 1,
        weightType: 's8',
        weights: Int8Array.from({ length: channels * 3 }, (_, i) => ((i * 37) % 255) - 127),
        weightZeroPoints: Int32Array.of(0),
        bias: Int32Array.from(perChannel((o) => (alive(o) ? o * 50 : bias))),
        accumulator: {
          bits: 32,
          overflow: 'wrap',
          when: 'end',
          products: 'exact',
          biasFirst: true,
        },
        requant: {
          kind: 'fixed',
          multiplier: new Int32Array(channels).fill(1518500250),
          shift: Uint8Array.from(perChannel((o) => (alive(o) ? 39 : 58))),
          rule: 'gemmlowp2',
        },
        clamp: { lo: Int32Array.of(-100), hi: Int32Array.of(127) },
      },
    ],
  };
}

describe.each([-1073741824, 1073741824])('channels with bias %d', (bias) => {
  test.each(availableIsas())('equal the interpreter on %s', (isa) => {
    const program = deadChannels(bias);
    const codes = Int8Array.from({ length: 105 }, (_, i) => ((i * 91) % 256) - 128);
    const engine = Engine.load(program, { isa });
    const [expected] = interpret(program, codes).outputs;
    expect(engine.runSync(codes).outputs[0]!.data).toEqual(expected!.data);
    expect(new Set(expected!.data.filter((_, i) => !alive(i % channels))).size).toBe(1);
    // The proven range includes partial sums from 0 on, which a positive bias leaves: slow, still exact.
    if (isa !== 'ref' && bias < 0) expect(engine.layers[0]!.kernel).not.toContain('/raw');
    engine.close();
  });
});
