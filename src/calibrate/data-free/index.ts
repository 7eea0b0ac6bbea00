// SPDX-License-Identifier: Apache-2.0
export { derive } from './derive.js';
export { distributionFrom } from './normal.js';
export type { ChannelDistribution } from './normal.js';
export { requireNormalizations } from './require-normalizations.js';
export { convResponse } from './response.js';
