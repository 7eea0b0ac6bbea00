// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import sharp from 'sharp';

import { decodeImage, toGrey } from '../../src/data/decode.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-images-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const save = async (name: string, image: sharp.Sharp): Promise<string> => {
  const file = join(folder, name);
  await image.toFile(file);
  return file;
};

const rgb = (values: number[], width: number): sharp.Sharp =>
  sharp(Uint8Array.from(values), {
    raw: { width, height: values.length / 3 / width, channels: 3 },
  });

describe('decodeImage', () => {
  test('keeps the pixels of a PNG', async () => {
    const values = [1, 2, 3, 250, 251, 252, 0, 128, 255, 9, 8, 7];
    const pixels = await decodeImage(await save('plain.png', rgb(values, 2)));
    expect(pixels).toMatchObject({ width: 2, height: 2, channels: 3 });
    expect([...pixels.data]).toEqual(values);
  });

  test('applies the Exif orientation', async () => {
    // Orientation 6: shown turned clockwise, so the left pixel comes on top.
    const image = rgb([10, 10, 10, 200, 200, 200], 2).withMetadata({ orientation: 6 });
    const pixels = await decodeImage(await save('turned.png', image));
    expect(pixels).toMatchObject({ width: 1, height: 2 });
    expect([...pixels.data]).toEqual([10, 10, 10, 200, 200, 200]);
  });

  test('spreads grey to RGB, with and without alpha, and drops alpha', async () => {
    const grey = sharp(Uint8Array.of(7, 99), { raw: { width: 2, height: 1, channels: 1 } });
    const greyFile = await save('grey.png', grey.toColourspace('b-w'));
    expect((await sharp(greyFile).metadata()).channels).toBe(1);
    expect([...(await decodeImage(greyFile)).data]).toEqual([7, 7, 7, 99, 99, 99]);
    const alpha = sharp(Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 255), {
      raw: { width: 2, height: 1, channels: 4 },
    });
    const alphaFile = await save('alpha.png', alpha);
    expect([...(await decodeImage(alphaFile)).data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('takes the high byte of 16-bit images', async () => {
    const deep = sharp(Uint16Array.of(0, 256, 0x7fff, 0x8000, 0xfeff, 0xffff), {
      raw: { width: 2, height: 1, channels: 3 },
    });
    const file = await save('deep.png', deep.toColourspace('rgb16'));
    expect((await sharp(file).metadata()).depth).toBe('ushort');
    expect([...(await decodeImage(file)).data]).toEqual([0, 1, 0x7f, 0x80, 0xfe, 0xff]);
  });

  test('turns CMYK to RGB of about the same colour', async () => {
    const flat = rgb(
      Array(64 * 3)
        .fill(0)
        .map((_, i) => [200, 100, 50][i % 3]!),
      8,
    );
    const file = await save('cmyk.jpg', flat.toColourspace('cmyk').jpeg({ quality: 100 }));
    expect((await sharp(file).metadata()).space).toBe('cmyk');
    const pixels = await decodeImage(file);
    expect(pixels.channels).toBe(3);
    expect(Math.abs(pixels.data[0]! - 200)).toBeLessThan(40);
    expect(Math.abs(pixels.data[2]! - 50)).toBeLessThan(40);
  });

  test('names a file that is no image, is cut off, or is not there', async () => {
    const text = join(folder, 'text.jpg');
    writeFileSync(text, 'not an image');
    await expect(decodeImage(text)).rejects.toThrow(`[not-an-image] ${text}: expected an image`);
    const noise = Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251);
    const whole = await rgb(noise, 64).jpeg().toBuffer();
    const cut = join(folder, 'cut.jpg');
    writeFileSync(cut, whole.subarray(0, whole.length / 2));
    await expect(decodeImage(cut)).rejects.toThrow('[not-an-image]');
    await expect(decodeImage(join(folder, 'none.jpg'))).rejects.toThrow('[no-such-file]');
  });
});

test('toGrey weighs by BT.601 and keeps grey as it is', () => {
  const data = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 137, 137, 137);
  const grey = toGrey({ width: 4, height: 1, channels: 3, data });
  expect([...grey.data]).toEqual([76, 150, 29, 137]);
});
