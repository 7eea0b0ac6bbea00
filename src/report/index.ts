// SPDX-License-Identifier: Apache-2.0
export type * from './documents.js';
export { analyzeText } from './analyze-text.js';
export { benchText } from './bench-text.js';
export { schemaVersion } from './documents.js';
export { compareDumpText, diffText } from './diff-text.js';
export { doctorText } from './doctor-text.js';
export { evidenceText } from './evidence-text.js';
export { experimentText } from './experiment-text.js';
export { pngOf, standaloneSpec, standaloneSvg } from './charts/index.js';
export { goldenText, verifyText } from './golden-text.js';
export { drawPage } from './html-page.js';
export type { DrawnPage } from './html-page.js';
export { proveText } from './prove-text.js';
export { commandOf, modelNameOf, networksOf, recognize } from './read/index.js';
export type { Network, Result } from './read/index.js';
export { reportText } from './report-text.js';
export { toJson } from './json.js';
export {
  compareText,
  convertText,
  demoText,
  evaluateText,
  inspectText,
  preprocessText,
  quantizeText,
  runText,
  targetInitText,
  targetsText,
} from './text.js';
export { factList, textTable } from './text-table.js';
