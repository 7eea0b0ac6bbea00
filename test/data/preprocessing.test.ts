// SPDX-License-Identifier: Apache-2.0
import { normalize, pixelValues, presets, resolvePreprocessing } from '../../src/data/index.js';
import { UsageError } from '../../src/errors.js';

describe('presets', () => {
  const f32 = Math.fround;

  test('values are the float32 operations in their order', () => {
    const tf = pixelValues(presets.tf, 3);
    expect([tf[0], tf[255], tf[256], tf[767]]).toEqual([-1, 1, -1, 1]);
    expect(tf[100]).toBe(f32(f32(100 / 127.5) - 1));
    const unit = pixelValues(presets.unit, 1);
    expect([unit[0], unit[51], unit[255]]).toEqual([0, f32(0.2), 1]);
    const torchvision = pixelValues(presets.torchvision, 3);
    expect(torchvision[512 + 255]).toBeCloseTo((1 - 0.406) / 0.225, 6);
    expect(pixelValues(presets.none, 1)[200]).toBe(200);
  });

  test('normalize goes from NHWC to NCHW', () => {
    const values = pixelValues(presets.none, 3);
    expect([...normalize(Uint8Array.of(1, 2, 3, 4, 5, 6), 3, values)]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test('torchvision refuses a grey network', () => {
    expect(() => pixelValues(presets.torchvision, 1)).toThrow('[preset-channels]');
  });
});

describe('resolvePreprocessing', () => {
  const size = { height: 8, width: 8, channels: 3 };
  const quantized = (dtype: 'u8' | 's8', scale: number, zeroPoint: number) => ({
    ...size,
    dtype,
    scale,
    zeroPoint,
  });

  test('flag before metadata before inference', () => {
    const input = quantized('u8', 1 / 255, 0);
    const decide = (flag?: string, metadata?: string) => {
      const { preset, decidedBy } = resolvePreprocessing(input, { flag, metadata });
      return [preset.name, decidedBy];
    };
    expect(decide('torchvision', 'tf')).toEqual(['torchvision', 'flag']);
    expect(decide(undefined, 'tf')).toEqual(['tf', 'metadata']);
    expect(decide()).toEqual(['unit', 'inferred']);
  });

  test.each([
    ['u8', 1 / 128, 128, 'tf'],
    ['u8', 1 / 127.5, 127, 'tf'],
    ['s8', 1 / 128, 0, 'tf'],
    ['u8', 1 / 255, 0, 'unit'],
    ['s8', 1 / 255, -128, 'unit'],
  ] as const)('%s with scale %d and zero point %d is %s', (dtype, scale, zeroPoint, name) => {
    expect(resolvePreprocessing(quantized(dtype, scale, zeroPoint), {}).preset.name).toBe(name);
  });

  test('otherwise asks, listing the presets', () => {
    for (const input of [size, quantized('u8', 0.0187, 114), quantized('s8', 1 / 255, 0)]) {
      expect(() => resolvePreprocessing(input, {})).toThrow(UsageError);
      expect(() => resolvePreprocessing(input, {})).toThrow(/--preprocess with one of tf .*none/);
    }
    expect(() => resolvePreprocessing(size, { flag: 'imagenet' })).toThrow('[unknown-preset]');
    expect(() => resolvePreprocessing(size, { flag: 'constructor' })).toThrow('[unknown-preset]');
  });
});
