// SPDX-License-Identifier: Apache-2.0
export { decode } from './decode.js';
export { encode } from './encode.js';
export type { Codes } from '../numeric/code-types.js';
export type { CodeTensor, RunOptions, RunResult, Trap } from './executor.js';
export { readProgramFile, writeProgramFile } from './file.js';
export { pixelTable, quantizeInput } from './input.js';
export { interpret } from './interpret.js';
export { lower } from './lower.js';
export type { Program, ProgramTensor } from './program.js';
