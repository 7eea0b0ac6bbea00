// SPDX-License-Identifier: Apache-2.0

/** Minimum and maximum of each channel. */
export interface ChannelEnds {
  readonly min: ArrayLike<number>;
  readonly max: ArrayLike<number>;
}

/** How far a tensor reaches, and how much of that its channels use. */
export interface Spread {
  readonly min: number;
  readonly max: number;
  /**
   * Mean over the channels of (channel's range / tensor's range), 0 to 1: the average channel precision of Yun
   * and Wong 2021. Near 0 most channels get few of the levels that one scale per tensor offers.
   */
  readonly channelPrecision: number;
  /** Channels whose values are all the same; behind a ReLU those that are never on. */
  readonly constantChannels: number;
}

export function spreadOf({ min, max }: ChannelEnds): Spread {
  const ranges = Array.from(max, (high, c) => high - min[c]!);
  const [lowest, highest] = [minOf(min), maxOf(max)];
  const whole = highest - lowest;
  return {
    min: lowest,
    max: highest,
    channelPrecision: whole === 0 ? 1 : meanOf(ranges.map((range) => range / whole)),
    constantChannels: ranges.filter((range) => range === 0).length,
  };
}

/** Ends of the output channels of weights [O, ...]. */
export function endsOf(data: Float32Array, channels: number): ChannelEnds {
  const size = data.length / channels;
  const parts = Array.from({ length: channels }, (_, c) => data.subarray(c * size, (c + 1) * size));
  return { min: parts.map(minOf), max: parts.map(maxOf) };
}

/**
 * Signal over quantization noise, dB, of 8-bit codes that hold the range and zero, for noise that is uniform over a
 * step: 10 log10(12 x 255^2 E[x^2] / range^2) = 58.92 + 10 log10(E[x^2] / range^2), by which Sheng et al. 2018
 * explain layers: a few channels that stretch the range cost all others.
 *
 * @param meanSquare E[x^2]
 * @returns undefined where signal or range is zero
 */
export function expectedSqnrDb(
  meanSquare: number,
  range: Pick<Spread, 'min' | 'max'>,
): number | undefined {
  const noise = stepOf(range) ** 2 / 12;
  return meanSquare > 0 && noise > 0 ? 10 * Math.log10(meanSquare / noise) : undefined;
}

/** The step of 8-bit codes that hold the range and zero. */
export function stepOf({ min, max }: Pick<Spread, 'min' | 'max'>): number {
  return (Math.max(max, 0) - Math.min(min, 0)) / 255;
}

/** The middle one in order, the lower of two; undefined of none. */
export function medianOf(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1];
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function minOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((a, b) => Math.min(a, b));
}

function maxOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((a, b) => Math.max(a, b));
}
