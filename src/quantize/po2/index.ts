// SPDX-License-Identifier: Apache-2.0
export { choosePo2Grid, type Po2Diagnostics } from './grid.js';
export { secondMoments } from './importance.js';
export { po2Schema } from './settings.js';
