// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';

import type { Pixels } from '../../src/data/decode.js';
import type { GeometryChoice } from '../../src/data/geometry.js';
import { fit } from '../../src/data/geometry.js';
import { presets } from '../../src/data/presets.js';
import { centre, crop, resizeBilinear } from '../../src/data/resize.js';

/** Pixel (y, x) holds y in channel 0 and x in channel 1. */
const chart = (height: number, width: number): Pixels => ({
  height,
  width,
  channels: 2,
  data: Uint8Array.from({ length: height * width * 2 }, (_, i) =>
    i % 2 === 0 ? Math.floor(i / 2 / width) & 255 : ((i >> 1) % width) & 255,
  ),
});

const corner = (pixels: Pixels): number[] => [...pixels.data.subarray(0, 2)];

describe('resizeBilinear', () => {
  const row = (...data: number[]): Pixels => ({
    height: 1,
    width: data.length,
    channels: 1,
    data: Uint8Array.from(data),
  });

  test('interpolates between pixel centres', () => {
    // Centres of 4 in 2: at -0.25, 0.25, 0.75, 1.25 of the source pixels.
    expect([...resizeBilinear(row(0, 100), { height: 1, width: 4 }, false).data]).toEqual([
      0, 25, 75, 100,
    ]);
  });

  test('without antialias reads two neighbours, with it the whole support', () => {
    const source = row(0, 0, 0, 0, 90, 0, 0, 0, 0);
    expect([...resizeBilinear(source, { height: 1, width: 3 }, false).data]).toEqual([0, 90, 0]);
    // Triangle of half-width 3: weights 3 2 1 of 9 around the middle, cut off at the border.
    expect([...resizeBilinear(source, { height: 1, width: 3 }, true).data]).toEqual([0, 30, 0]);
  });

  test('keeps a flat image flat at any size', () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, side, side, fc.boolean(), fc.nat(255), (h, w, oh, ow, smooth, v) => {
        const flat = { height: h, width: w, channels: 1, data: new Uint8Array(h * w).fill(v) };
        const result = resizeBilinear(flat, { height: oh, width: ow }, smooth);
        expect(result.data.length).toBe(oh * ow);
        expect(result.data.every((pixel) => pixel === v)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('fit', () => {
  const size = { height: 20, width: 20 };
  const how = (image: Pixels, name: keyof typeof presets, choice: GeometryChoice): string =>
    fit(image, size, presets[name], choice, 'a.png').how;

  test('auto crops what is at most a tenth larger, and asks the preset otherwise', () => {
    const fitted = fit(chart(22, 30), size, presets.tf, 'auto', 'a.png');
    expect(fitted.how).toContain('no resizing');
    expect(corner(fitted.pixels)).toEqual([1, 5]);
    expect(how(chart(20, 20), 'torchvision', 'auto')).toContain('no resizing');
    expect(how(chart(23, 30), 'tf', 'auto')).toContain('central 0.875');
    expect(how(chart(19, 30), 'torchvision', 'auto')).toContain('shorter side');
    expect(how(chart(23, 23), 'unit', 'auto')).toContain('whole image');
  });

  test('227-pixel images give a 224 centre crop, half a pixel rounded down', () => {
    const fitted = fit(chart(227, 227), { height: 224, width: 224 }, presets.tf, 'auto', 'a.png');
    expect(corner(fitted.pixels)).toEqual([1, 1]);
  });

  test('torchvision: shorter side to 256/224 of the size, then the centre', () => {
    const image = chart(128, 192);
    const fitted = fit(image, { height: 56, width: 56 }, presets.torchvision, 'preset', 'a.png');
    const by = resizeBilinear(image, { height: 64, width: 96 }, true);
    expect(fitted.pixels).toEqual(crop(by, centre(by, { height: 56, width: 56 }, 'halfEven')));
    expect(fitted.how).toContain('resized to 64');
  });

  test('tf: the central 0.875 without antialias', () => {
    const image = chart(80, 40);
    const fitted = fit(image, size, presets.tf, 'preset', 'a.png');
    const middle = crop(image, { top: 5, left: 2, height: 70, width: 36 });
    expect(fitted.pixels).toEqual(resizeBilinear(middle, size, false));
  });

  test('any image gets the wanted size, whatever the choice', () => {
    const side = fc.integer({ min: 1, max: 60 });
    const choice = fc.constantFrom('auto', 'preset', 'stretch') as fc.Arbitrary<GeometryChoice>;
    const preset = fc.constantFrom(...Object.values(presets));
    fc.assert(
      fc.property(side, side, choice, preset, (height, width, chosen, named) => {
        const { pixels } = fit(chart(height, width), size, named, chosen, 'a.png');
        expect(pixels).toMatchObject(size);
        expect(pixels.data.length).toBe(800);
      }),
      { numRuns: 100 },
    );
  });

  test('crop refuses an image that is too small, naming it', () => {
    expect(() => fit(chart(19, 40), size, presets.tf, 'crop', 'a.png')).toThrow(
      '[image-too-small] a.png: the image is 40x19, the network takes 20x20',
    );
  });
});
