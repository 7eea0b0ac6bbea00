// SPDX-License-Identifier: Apache-2.0
// What a run can be given: codes, or reals and pixels that the addon turns into codes exactly as
// program/input.ts does.
import { UsageError } from '../errors.js';
import { type Codes, codeLimits } from '../numeric/code-types.js';
import type { NativeInput, NativeTensor } from './native.js';
import { checkCodes, checkMemory, described } from './tensors.js';

/** 8-bit pixels and what each becomes; `pixelTable` makes the table. */
export interface PixelInput {
  /** NHWC, of the input's size. */
  readonly pixels: Uint8Array;
  /** Entry c * 256 + p is the code of pixel p of channel c. */
  readonly table: Int32Array;
}

/** NHWC codes of the input's type, or f32 NCHW of the preprocessed image, or pixels. */
export type EngineInput = Codes | Float32Array | PixelInput;

/** @throws UsageError for another type or length, or a table with entries that are no codes */
export function nativeInput(input: EngineInput, tensor: NativeTensor): NativeInput {
  if ('pixels' in input) return checkedPixels(input, tensor);
  // By name: typed arrays of another realm are as good.
  if (input.constructor.name !== 'Float32Array') {
    checkCodes(input as Codes, tensor, 'input');
    return input as Codes;
  }
  const { height, width, channels, name } = described(tensor);
  const count = height * width * channels;
  checkMemory(input, 'input');
  if (input.length === count) return input as Float32Array;
  throw new UsageError(
    'input-size',
    `input "${name}"`,
    `expected ${count} values (${channels} x ${height} x ${width}, NCHW), got ${input.length}`,
  );
}

function checkedPixels({ pixels, table }: PixelInput, tensor: NativeTensor): NativeInput {
  const { dtype, height, width, channels, name } = described(tensor);
  const count = height * width * channels;
  checkMemory(pixels, 'pixel');
  checkMemory(table, 'table');
  if (pixels.length !== count || table.length !== channels * 256) {
    throw new UsageError(
      'input-size',
      `input "${name}"`,
      `expected ${count} pixels (${height} x ${width} x ${channels}, NHWC) and a table of ` +
        `${channels * 256} codes, got ${pixels.length} and ${table.length}`,
    );
  }
  const [least, greatest] = codeLimits(dtype);
  const wrong = table.find((code) => code < least || code > greatest);
  if (wrong === undefined) return [pixels, table];
  throw new UsageError(
    'pixel-table',
    `input "${name}"`,
    `expected codes of ${dtype} (${least} to ${greatest}), got ${wrong}; pixelTable makes the table`,
  );
}
