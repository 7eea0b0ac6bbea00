// SPDX-License-Identifier: Apache-2.0
export { accumulatorBits } from './accumulator-bits.js';
export { accuracy } from './accuracy.js';
export { channelDecibels } from './channel-decibels.js';
export type { Chart } from './chart.js';
export { divergence, shareClasses } from './divergence.js';
export { errorByDepth } from './error-by-depth.js';
export { latency } from './latency.js';
export { rangeUse } from './range-use.js';
export { pngOf, renderChart, standaloneSpec, standaloneSvg } from './render.js';
export { palettes } from './theme.js';
