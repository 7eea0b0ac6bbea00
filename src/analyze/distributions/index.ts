// SPDX-License-Identifier: Apache-2.0
export { findingsOf } from './findings.js';
export type { Finding } from './findings.js';
export { distributionNeeds, distributionsOf, untilScores } from './layers.js';
export type { Distributions, KindSummary, LayerDistribution } from './layers.js';
