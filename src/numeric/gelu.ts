// SPDX-License-Identifier: Apache-2.0
import { jStat } from 'jstat';

/**
 * x times the standard normal distribution function of x (Hendrycks and Gimpel 2016), or the approximation of
 * it by tanh that the paper gives. In double.
 */
export function gelu(x: number, approximate: boolean): number {
  const share = approximate
    ? Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))
    : jStat.erf(x * Math.SQRT1_2);
  return 0.5 * x * (1 + share);
}
