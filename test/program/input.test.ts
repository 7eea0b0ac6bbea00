// SPDX-License-Identifier: Apache-2.0
import { pixelTable, quantizeInput } from '../../src/program/input.js';
import type { InputQuantization, Program, ProgramTensor } from '../../src/program/program.js';

function program(given: Partial<ProgramTensor>, inputQuantization: InputQuantization): Program {
  const input = {
    name: 'x',
    dtype: 's8',
    height: 1,
    width: 2,
    channels: 2,
    zeroPoint: 0,
    scale: 1,
  } as const;
  const metadata = {};
  return {
    target: 't@1',
    metadata,
    tensors: [{ ...input, ...given }],
    input: 0,
    inputQuantization,
    outputs: [0],
    ops: [],
  };
}

const away: InputQuantization = { form: 'divide', rule: 'halfAway' };

describe('real inputs', () => {
  test('NCHW becomes NHWC, ties and saturation by the rule', () => {
    const image = Float32Array.of(0.5, -0.5, 2.5, 1000);
    expect(quantizeInput(program({}, away), image)).toEqual(Int8Array.of(1, 3, -1, 127));
    const even = program({}, { form: 'divide', rule: 'halfEven' });
    expect(quantizeInput(even, image)).toEqual(Int8Array.of(0, 2, 0, 127));
    const unsigned = program({ dtype: 'u8', zeroPoint: 10 }, away);
    expect(quantizeInput(unsigned, Float32Array.of(-20, 1, 245, 246))).toEqual(
      Uint8Array.of(0, 255, 11, 255),
    );
  });

  test('dividing and multiplying by the inverse differ', () => {
    const scale = Math.fround(0.1);
    const values = Array.from({ length: 4000 }, (_, i) => Math.fround(i / 157));
    const codes = (form: 'divide' | 'multiplyInverse'): number[] => {
      const net = program(
        { scale, height: 1, width: values.length, channels: 1, dtype: 's16' },
        { form, rule: 'halfAway' },
      );
      return Array.from(quantizeInput(net, Float32Array.from(values)));
    };
    const divided = values.map((x) => Math.round(Math.fround(x / scale)));
    const multiplied = values.map((x) => Math.round(Math.fround(x * Math.fround(1 / scale))));
    expect(codes('divide')).toEqual(divided);
    expect(codes('multiplyInverse')).toEqual(multiplied);
    // near ties the two quotients lie on different sides
    const net = (form: 'divide' | 'multiplyInverse'): Program =>
      program({ scale, width: 1, channels: 1 }, { form, rule: 'halfAway' });
    const differing = Array.from({ length: 127 }, (_, i) => Math.fround((i + 0.5) * 0.1)).filter(
      (x) =>
        quantizeInput(net('divide'), Float32Array.of(x))[0] !==
        quantizeInput(net('multiplyInverse'), Float32Array.of(x))[0],
    );
    expect(differing.length).toBeGreaterThan(0);
  });

  test('a table of pixels gives the same codes', () => {
    const net = program({ scale: 2 / 255, zeroPoint: -1 }, away);
    const normalize = (pixel: number, channel: number): number => pixel / 127.5 - 1 + channel / 8;
    const table = pixelTable(net, normalize);
    expect(table.length).toBe(512);
    for (let pixel = 0; pixel < 256; ++pixel) {
      const image = [0, 0, 1, 1].map((channel) => normalize(pixel, channel));
      const codes = quantizeInput(net, Float32Array.from(image));
      expect([table[pixel], table[256 + pixel]]).toEqual([codes[0], codes[1]]);
    }
  });

  test('a NaN, another size', () => {
    expect(() => quantizeInput(program({}, away), Float32Array.of(0, NaN, 0, 0))).toThrow(
      /\[not-a-number\] input "x"/,
    );
    expect(() => quantizeInput(program({}, away), Float32Array.of(0))).toThrow(
      /expected 4 values \(2 x 1 x 2, NCHW\), got 1/,
    );
  });
});
