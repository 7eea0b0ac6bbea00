// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';

import { writeFileAtomic } from '../data/index.js';

/** `OUT.onnx` gets `OUT.onnx.lastbit.json`: a config file that repeats the run. */
export function saveConfigBeside(output: string, resolvedConfig: string): void {
  writeFileAtomic(`${output}.lastbit.json`, resolvedConfig);
}

/** A folder gets `lastbit.json`. */
export function saveConfigIn(folder: string, resolvedConfig: string): void {
  writeFileAtomic(join(folder, 'lastbit.json'), resolvedConfig);
}
