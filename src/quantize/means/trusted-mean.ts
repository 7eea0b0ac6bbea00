// SPDX-License-Identifier: Apache-2.0
// A mean that counts as far as the images agree on it.
//
// Symbols: x_1 ... x_n one value an image, m their mean, se = sqrt(sum (x - m)^2 / (n (n - 1)))
// its standard error, k = 3.
//
//   m' = max(0, 1 - (k se / m)^2) m
//
// This is the non-negative garrote for a single coefficient: Breiman 1995, "Better Subset
// Regression Using the Nonnegative Garrote", Technometrics 37, which with orthogonal predictors
// multiplies each estimate m by max(0, 1 - lambda / m^2); here lambda = (k se)^2. It has the form
// of the positive-part estimator of James and Stein, which however shares one factor between three
// or more means; a single coordinate has no such gain, and the aim is another one: means below k
// standard errors are taken for chance and become 0, large ones stay.
//
// Few images. One image has no standard error and its mean is taken whole: nothing speaks against
// it, and nothing for it. With two images se = |x_1 - x_2| / 2 has one degree of freedom and is
// hardly known itself: m / se is then Cauchy, and exceeds 3 by chance in 20 % of the cases (10 %
// with three images, 0.6 % with 24, 0.3 % in the limit). So below some ten images chance passes
// more often than k = 3 sounds like.

/** Standard errors below which a mean counts as chance. */
const significance = 3;

/**
 * The mean of what single images say, as far as they agree (non-negative garrote). What one image of many
 * brings, a value clipped there for instance, is no error of the others and leaves no trace.
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
