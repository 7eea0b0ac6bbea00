// SPDX-License-Identifier: Apache-2.0

/** Standard errors below which a mean counts as chance. */
const significance = 3;

/**
 * The mean of what single images say, as far as they agree: shrunk by the share of its square that chance
 * could explain, max(0, 1 - (significance x standard error / mean)^2), the positive part of James and Stein
 * 1961 one coordinate at a time, with a wider allowance. What one image of many brings, a value clipped there
 * for instance, is no error of the others and leaves no trace.
 *
 * @param samples one value an image
 */
export function trustedMean(samples: Float64Array): number {
  const count = samples.length;
  if (count === 0) return 0;
  const mean = samples.reduce((a, b) => a + b) / count;
  if (count === 1 || mean === 0) return mean;
  const squares = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardError = Math.sqrt(squares / (count * (count - 1)));
  return mean * Math.max(0, 1 - ((significance * standardError) / mean) ** 2);
}
