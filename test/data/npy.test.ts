// SPDX-License-Identifier: Apache-2.0
import { readNpy, writeNpy } from '../../src/data/index.js';

describe('npy', () => {
  test.each([
    ['f32', [2, 3], Float32Array.of(0, -1.5, Infinity, 1e-40, 5, 6)],
    ['f64', [1], Float64Array.of(Math.PI)],
    ['u8', [4], Uint8Array.of(0, 1, 254, 255)],
    ['s8', [2, 2], Int8Array.of(-128, -1, 0, 127)],
    ['s16', [3], Int16Array.of(-32768, 0, 32767)],
    ['s32', [], Int32Array.of(-2147483648)],
    ['s64', [1], BigInt64Array.of(-(2n ** 63n))],
  ] as const)('reads back %s %p', (dtype, shape, data) => {
    const bytes = writeNpy({ dtype, shape, data });
    // At an odd offset, as a slice of a larger file may be.
    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    expect(readNpy(shifted, 'x.npy')).toEqual({ dtype, shape, data });
    expect(bytes.length % 64).toBe(data.byteLength % 64);
  });

  test("writes numpy's own header", () => {
    const bytes = writeNpy({ dtype: 'f32', shape: [1, 3], data: new Float32Array(3) });
    expect(Buffer.from(bytes.subarray(0, 10)).toString('latin1')).toBe('\x93NUMPY\x01\x00\x76\x00');
    expect(Buffer.from(bytes.subarray(10, 128)).toString()).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(1, 3\), \} +\n$/,
    );
  });

  const header = (text: string): Uint8Array => {
    const body = text.padEnd(117) + '\n';
    return Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(body.length)}\x00${body}`, 'latin1');
  };

  test.each([
    ['nothing', new Uint8Array(0), 'does not begin'],
    ['text', Buffer.from('hello, this is a text file'), 'does not begin'],
    [
      'a cut header',
      writeNpy({ dtype: 'u8', shape: [1], data: Uint8Array.of(1) }).subarray(0, 60),
      'cut off',
    ],
    [
      'cut data',
      writeNpy({ dtype: 'f32', shape: [2], data: new Float32Array(2) }).slice(0, -1),
      'promises 8 bytes, 7',
    ],
    [
      'big-endian',
      header("{'descr': '>f4', 'fortran_order': False, 'shape': (0,), }"),
      'big-endian',
    ],
    [
      'Fortran order',
      header("{'descr': '<f4', 'fortran_order': True, 'shape': (0,), }"),
      'Fortran',
    ],
    [
      'half floats',
      header("{'descr': '<f2', 'fortran_order': False, 'shape': (0,), }"),
      '"f2" is not among',
    ],
    ['objects', header("{'descr': '|O', 'fortran_order': False, 'shape': (0,), }"), 'plain array'],
  ])('refuses %s', (_, bytes, reason) => {
    expect(() => readNpy(bytes, 'x.npy')).toThrow(reason);
    expect(() => readNpy(bytes, 'x.npy')).toThrow('[bad-npy] x.npy');
  });
});
