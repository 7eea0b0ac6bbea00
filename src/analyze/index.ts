// SPDX-License-Identifier: Apache-2.0
export { movedChannels } from './channel-factors.js';
export type { ChannelFactors } from './channel-factors.js';
export { openComparison } from './compare-layers.js';
export type { LayerComparer, LayerComparison, OpenedProgram } from './compare-layers.js';
export { sizeOfGraph, sizeOfProgram, sizeOfQuantGraph } from './count-macs.js';
export type { NetworkSize } from './count-macs.js';
export { TargetDiff } from './diff-layers.js';
export type { CauseStep, LayerDifference, TargetDifference } from './diff-layers.js';
export {
  distributionNeeds,
  distributionsOf,
  findingsOf,
  untilScores,
} from './distributions/index.js';
export type {
  Distributions,
  Finding,
  KindSummary,
  LayerDistribution,
} from './distributions/index.js';
export { explainTrap } from './explain-trap.js';
export type { TrapOperands } from './explain-trap.js';
export { dumpLengths, matchDump } from './match-dump.js';
export type { Dump, DumpMatch, MatchedDump } from './match-dump.js';
export { networkOf } from './network.js';
export type { NetworkLayer } from './network.js';
export { ErrorSums, cosine, errorOf, sqnrDb } from './error-sums.js';
export { SaturationCount } from './saturation.js';
