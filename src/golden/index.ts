// SPDX-License-Identifier: Apache-2.0
export type { GoldenArray } from './array.js';
export { roles } from './array.js';
export {
  checkerKinds,
  checkerMemories,
  layerCheck,
  requantizationInWords,
} from './checker/checker.js';
export type { CheckerKind, LayerCheck } from './checker/checker.js';
export { faultsOf } from './checker/faults.js';
export { layerNumbers } from './checker/layer-numbers.js';
export { cocotbFacts, cocotbTest } from './checker/cocotb.js';
export { systemVerilogChecker } from './checker/systemverilog.js';
export { checkSettings, filesOf, vectorFormats } from './encode.js';
export type { VectorFormat, VectorSettings } from './encode.js';
export { defaultLayouts } from './layout.js';
export type { Layouts } from './layout.js';
export { manifestJsonSchema, parseManifest } from './manifest.js';
export type { Manifest, ManifestArray, ManifestLayer } from './manifest.js';
export { registersOf } from './registers.js';
export { withSums } from './sums.js';
export type { SummingProgram } from './sums.js';
export { tosaDescription } from './tosa-description.js';
export { imageArrays } from './vectors.js';
export type { Taps } from './vectors.js';
