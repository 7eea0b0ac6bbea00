// SPDX-License-Identifier: Apache-2.0
export { derive } from './derive.js';
export { lawFrom } from './normal.js';
export type { ChannelLaw, Law } from './normal.js';
export { requireNormalizations } from './require-normalizations.js';
export { convResponse } from './response.js';
