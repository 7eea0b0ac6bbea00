// SPDX-License-Identifier: Apache-2.0
/** The grids whose noise is modelled, and how long it is minimized. */
export interface NoiseOptions {
  readonly iterations: number;
  readonly perChannelWeights: boolean;
  /** Steps in the range of a weight tensor: 2^bits - 1. */
  readonly weightLevels: number;
  /** The same of a value, which follows its width. */
  readonly activationLevels: (value: string) => number;
  /** Zero points are chosen freely, so a range counts from its minimum to its maximum. */
  readonly asymmetricWeights: boolean;
  readonly asymmetricActivations: boolean;
}
