// SPDX-License-Identifier: Apache-2.0
export { quantizeInput } from './input.js';
export { interpret } from './interpret.js';
export { lower } from './lower.js';
