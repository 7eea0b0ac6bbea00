// SPDX-License-Identifier: Apache-2.0
// Integers as sums of unsigned bytes: value = sum of factor * (byte - zero point). Unsigned on both
// sides because onnxruntime's kernels for signed bytes saturate on x86 without VNNI (ConvInteger of
// u8 and s8 differs from its definition there); those for two unsigned operands are exact.
import type { CodesTensor, Steps } from './steps.js';

export interface ByteTensor {
  readonly tensor: string;
  readonly zeroPoint: number;
  readonly factor: bigint;
}

export interface ByteArray {
  readonly bytes: Uint8Array;
  readonly zeroPoint: number;
  readonly factor: bigint;
}

/**
 * Codes less a zero point of their type, as bytes. A position that holds a byte's zero point adds
 * nothing, so padding with it means what the program's padding means.
 */
export function codeBytes(
  steps: Steps,
  codes: CodesTensor,
  zeroPoint: number,
): readonly ByteTensor[] {
  switch (codes.dtype) {
    case 'u8':
      return [{ tensor: codes.tensor, zeroPoint, factor: 1n }];
    case 's8':
      return [{ tensor: shiftedByte(steps, codes), zeroPoint: zeroPoint + 128, factor: 1n }];
    case 's16': {
      const shifted = zeroPoint + 32768;
      const [high, low] = [Math.floor(shifted / 256), shifted % 256];
      return [
        { tensor: byteOf(steps, codes, 'high'), zeroPoint: high, factor: 256n },
        { tensor: byteOf(steps, codes, 'low'), zeroPoint: low, factor: 1n },
      ];
    }
    case 's32':
      return steps.refuse('it reads codes of 32 bits');
  }
}

/** s8 + 128, made once for all readers. */
function shiftedByte(steps: Steps, codes: CodesTensor): string {
  return once(steps, `${codes.tensor} byte`, () => {
    const raised = addInt32(steps, steps.cast(codes.tensor, 's32'), 128);
    return steps.cast(raised, 'u8');
  });
}

function byteOf(steps: Steps, codes: CodesTensor, which: 'high' | 'low'): string {
  return once(steps, `${codes.tensor} ${which}`, () => {
    const raised = addInt32(steps, steps.cast(codes.tensor, 's32'), 32768);
    const by = steps.constant('s32', [], Int32Array.of(256));
    return steps.cast(steps.node(which === 'high' ? 'Div' : 'Mod', [raised, by]), 'u8');
  });
}

function addInt32(steps: Steps, tensor: string, addend: number): string {
  return steps.node('Add', [tensor, steps.constant('s32', [], Int32Array.of(addend))]);
}

function once({ shared: { derived } }: Steps, key: string, make: () => string): string {
  const known = derived.get(key);
  if (known !== undefined) return known;
  const made = make();
  derived.set(key, made);
  return made;
}

/** Whole numbers of up to 17 bits and a sign as bytes; one set where they span at most 255. */
export function weightBytes(weights: Int32Array): readonly ByteArray[] {
  const [least, greatest] = extent(weights);
  if (greatest - least <= 255 && least >= -255 && greatest <= 255) {
    const zeroPoint = Math.max(0, -least);
    return [{ bytes: new Uint8Array(weights.map((w) => w + zeroPoint)), zeroPoint, factor: 1n }];
  }
  const low = new Uint8Array(weights.map((w) => w & 255));
  const high = weightBytes(weights.map((w) => w >> 8));
  return [
    ...high.map((digit) => ({ ...digit, factor: digit.factor * 256n })),
    { bytes: low, zeroPoint: 0, factor: 1n },
  ];
}

function extent(weights: Int32Array): readonly [number, number] {
  let [least, greatest] = [0, 0];
  for (const w of weights) {
    least = Math.min(least, w);
    greatest = Math.max(greatest, w);
  }
  return [least, greatest];
}
