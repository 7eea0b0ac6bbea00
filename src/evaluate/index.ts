// SPDX-License-Identifier: Apache-2.0
export { evaluate, unbroken } from './evaluate.js';
export type { Predict } from './evaluate.js';
export {
  checkExpectation,
  detectableDrop,
  readExpectation,
  requireNoFloat,
  subsetBelow,
} from './expect.js';
export type { ExpectResult } from './expect.js';
export { paired95, wilson95 } from './intervals.js';
export { outcomesCsv } from './outcomes-csv.js';
export { changedFacts, imageOutcomeSchema, openProgress, unsavedProgress } from './progress.js';
export type { Progress, RunFacts } from './progress.js';
export { energyOf, tally } from './tally.js';
export type { Accuracy, ImageOutcome } from './tally.js';
export { placeLabel, topClasses } from './top-k.js';
