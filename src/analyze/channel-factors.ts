// SPDX-License-Identifier: Apache-2.0
// Equalization multiplies the channels of inner values by factors and keeps the network's function.
// Who compares such a value with the float original has to know them.

/** By value name, one factor for each channel. */
export type ChannelFactors = ReadonlyMap<string, ArrayLike<number>>;

/** The factors of values where some factor is not 1, as a file holds them. */
export function movedChannels(factors: ChannelFactors): ReadonlyMap<string, Float32Array> {
  const moved = [...factors].filter(([, list]) => Array.from(list).some((factor) => factor !== 1));
  return new Map(moved.map(([name, list]) => [name, Float32Array.from(list)]));
}

/** f32 NCHW values, each channel times its factor (or divided by it). */
export function scaleChannels(
  values: Float32Array,
  factors: ArrayLike<number> | undefined,
  direction: 'multiply' | 'divide',
): Float32Array {
  if (factors === undefined) return values;
  const area = values.length / factors.length;
  return values.map((value, i) => {
    const factor = factors[Math.floor(i / area)]!;
    return direction === 'multiply' ? value * factor : value / factor;
  });
}
