// SPDX-License-Identifier: Apache-2.0
import type { ResultFile } from '../src/bench/results.js';

export function resultsPage(renderResults: (files: readonly ResultFile[]) => string): string;
