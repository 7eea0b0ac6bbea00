// SPDX-License-Identifier: Apache-2.0
declare module 'jstat' {
  export const jStat: {
    erf(x: number): number;
    readonly binomial: { cdf(successes: number, trials: number, probability: number): number };
    readonly studentt: { inv(probability: number, freedom: number): number };
    readonly normal: {
      inv(probability: number, mean: number, std: number): number;
      cdf(value: number, mean: number, std: number): number;
    };
  };
}
