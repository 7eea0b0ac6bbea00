// SPDX-License-Identifier: Apache-2.0
/** The grids whose noise is modelled, and how long it is minimized. */
export interface NoiseOptions {
  readonly iterations: number;
  readonly perChannelWeights: boolean;
  /** Steps in the range of a weight tensor and of an activation: 2^bits - 1. */
  readonly weightLevels: number;
  readonly activationLevels: number;
  /** Zero points are chosen freely, so a range counts from its minimum to its maximum. */
  readonly asymmetricWeights: boolean;
  readonly asymmetricActivations: boolean;
}
