// SPDX-License-Identifier: Apache-2.0
// One function for each command; it takes the command's options and returns its document.
export { benchModel } from './bench.js';
export type { BenchModelOptions } from './bench.js';
export { compareModels } from './compare.js';
export type { CompareModelsOptions } from './compare.js';
export { convertModel } from './convert.js';
export type { ConvertModelOptions } from './convert.js';
export { compareDump } from './compare-dump.js';
export type { CompareDumpOptions } from './compare-dump.js';
export { diffTargets } from './diff.js';
export type { DiffOptions } from './diff.js';
export { runDemo } from './demo.js';
export type { DemoOptions } from './demo.js';
export { evaluateModel } from './evaluate.js';
export type { EvaluateModelOptions } from './evaluate.js';
export { inspectModel } from './inspect.js';
export { loadModel, loadQuantizedModel } from './load-model.js';
export type { FloatModel, Model, ProgramModel, QuantizedModel } from './load-model.js';
export { chooseTarget, programOf } from './choose-program.js';
export type { ProgressListener } from './progress.js';
export { quantizeInMemory, quantizeModel } from './quantize.js';
export type { QuantizeModelOptions, QuantizedResult } from './quantize.js';
export { runModel } from './run.js';
export type { RunModelOptions } from './run.js';
export { evidenceOf, resolveTarget } from './target-choice.js';
export { listTargets } from './targets.js';
export { version } from './version.js';
