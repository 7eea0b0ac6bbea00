// SPDX-License-Identifier: Apache-2.0
export { evaluate } from './evaluate.js';
export type { EvaluateOptions, Predict } from './evaluate.js';
export { paired95, wilson95 } from './intervals.js';
export type { Interval, Paired } from './intervals.js';
export { openProgress, unsavedProgress } from './progress.js';
export type { Progress, RunFacts } from './progress.js';
export { energyOf, tally } from './tally.js';
export type { Accuracy, Energy, ImageOutcome } from './tally.js';
export { placeLabel, topClasses } from './top-k.js';
export type { Placement, Ranked } from './top-k.js';
