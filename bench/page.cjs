// SPDX-License-Identifier: Apache-2.0
// RESULTS.md from all committed results.
const { join } = require('node:path');
const { readResults } = require('./prepare.cjs');
const { renderProcesses } = require('./processes.cjs');
const { renderTargets } = require('./targets.cjs');

/** The page's text; `renderResults` is that of src/bench/results.ts. */
function resultsPage(renderResults) {
  const cases = renderResults(readResults(join(__dirname, 'results')));
  return [cases, renderTargets(), renderProcesses()].filter(Boolean).join('\n');
}

module.exports = { resultsPage };
