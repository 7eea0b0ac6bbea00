// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "Real inputs".
import { ModelError, UsageError } from '../errors.js';
import { type Codes, codeLimits } from '../numeric/code-types.js';
import { roundNearest } from '../numeric/round.js';
import { allocate } from './interpret.js';
import type { Program } from './program.js';

const f32 = Math.fround;

/**
 * Codes of a preprocessed image.
 *
 * @param image f32, NCHW of one image
 * @returns NHWC codes of the input's type
 * @throws UsageError for another number of elements, ModelError `not-a-number` for a NaN
 */
export function quantizeInput(program: Program, image: Float32Array): Codes {
  const tensor = program.tensors[program.input]!;
  const { height, width, channels } = tensor;
  const codes = allocate(tensor);
  if (image.length !== codes.length) {
    throw new UsageError(
      'input-size',
      `input "${tensor.name}"`,
      `expected ${codes.length} values (${channels} x ${height} x ${width}, NCHW), got ${image.length}`,
    );
  }
  const quantize = quantizer(program);
  const pixels = height * width;
  for (let c = 0; c < channels; ++c) {
    for (let pixel = 0; pixel < pixels; ++pixel) {
      codes[pixel * channels + c] = quantize(image[c * pixels + pixel]!);
    }
  }
  return codes;
}

/**
 * Codes of 8-bit pixels, by channel: entry c * 256 + p answers pixel p of channel c. Quantizing a
 * table instead of an image gives the same codes, since each depends on one pixel alone.
 *
 * @param normalize what the preprocessing makes of a pixel of a channel
 */
export function pixelTable(
  program: Program,
  normalize: (pixel: number, channel: number) => number,
): Int32Array {
  const quantize = quantizer(program);
  const { channels } = program.tensors[program.input]!;
  return Int32Array.from({ length: channels * 256 }, (_, i) =>
    quantize(f32(normalize(i % 256, Math.floor(i / 256)))),
  );
}

/** From a float32 to a code of the input. */
function quantizer(program: Program): (x: number) => number {
  const { scale, zeroPoint, dtype, name } = program.tensors[program.input]!;
  const { form, rule } = program.inputQuantization;
  const [least, greatest] = codeLimits(dtype);
  const inverse = f32(1 / scale);
  return (x) => {
    if (Number.isNaN(x)) {
      throw new ModelError(
        'not-a-number',
        `input "${name}"`,
        'holds a NaN; repair the image or its preprocessing',
      );
    }
    const v = form === 'divide' ? f32(x / scale) : f32(x * inverse);
    return Math.min(Math.max(roundNearest(v, rule) + zeroPoint, least), greatest);
  };
}
