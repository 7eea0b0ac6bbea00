// SPDX-License-Identifier: Apache-2.0
export { codeIntervals } from './intervals.js';
export type { Interval } from './intervals.js';
export { sumBounds } from './conv-bounds.js';
export { bitsFor, prove } from './prove.js';
export type { Certificate, LayerProof } from './prove.js';
