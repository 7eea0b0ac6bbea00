// SPDX-License-Identifier: Apache-2.0
export { resultsOf } from './labels.js';
export type { Labelled } from './labels.js';
export { modelNameOf, networksOf } from './networks.js';
export type { Network } from './networks.js';
export { commandOf, recognize } from './recognize.js';
export type { Result } from './recognize.js';
