// SPDX-License-Identifier: Apache-2.0
// The inputs of the goldens: noise from seeds and real images, as codes. Tests make them again from
// the same description; as a script it writes them for tflite_run.py:
//
//     node inputs.cjs HEIGHT WIDTH TYPE NOISE IMAGES FOLDER > codes.bin
const { createHash } = require('node:crypto');
const { readdirSync, readFileSync } = require('node:fs');
const { extname, join } = require('node:path');

/** Bytes from a seed: SHA-256 of "seed/0", "seed/1", ... one after the other. */
function seededBytes(seed, length) {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
    createHash('sha256').update(`${seed}/${i}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

/** Codes of one image: its pixels (u8), or its pixels less 128 (s8), cropped around the centre. */
async function imageBytes(file, { height, width, type }) {
  const pixels = extname(file) === '.bin' ? readFileSync(file) : await crop(file, height, width);
  if (pixels.length !== height * width * 3) throw new Error(`${file} has ${pixels.length} values`);
  return type === 's8' ? pixels.map((pixel) => pixel ^ 0x80) : pixels;
}

async function crop(file, height, width) {
  const sharp = require('sharp');
  const meta = await sharp(file).metadata();
  const left = (meta.width - width) >> 1;
  const top = (meta.height - height) >> 1;
  return sharp(file)
    .extract({ left, top, width, height })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer();
}

/**
 * All inputs of a golden, in order: `noise` images from seeds, then the first `images` files of a
 * folder by name.
 */
async function* goldenInputs({ height, width, type, noise, images }, folder) {
  for (let i = 0; i < noise; ++i) yield seededBytes(`oracle/${i}`, height * width * 3);
  const files = readdirSync(folder).sort().slice(0, images);
  for (const file of files) yield imageBytes(join(folder, file), { height, width, type });
}

module.exports = { seededBytes, goldenInputs };

async function main([height, width, type, noise, images, folder]) {
  const shape = { height: +height, width: +width, type, noise: +noise, images: +images };
  for await (const codes of goldenInputs(shape, folder)) process.stdout.write(codes);
}

if (require.main === module) void main(process.argv.slice(2));
