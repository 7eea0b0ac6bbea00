// SPDX-License-Identifier: Apache-2.0
// The public names. The functions that carry a command's name take its options and return its
// JSON document; below them stand the stages, for programs of one's own.

export * from './pipeline/index.js';
export type * from './report/documents.js';
export type { BenchDocument, Peer } from './bench/document.js';
export { schemaVersion, toJson } from './report/index.js';

export { LastbitError, LimitError, ModelError, UsageError, exitCodes } from './errors.js';
export type * from './graph/graph.js';
export type * from './graph/quant-graph.js';
export type * from './graph/samples.js';

export { readOnnx, readOnnxFile } from './onnx/file/reader.js';
export { importOnnx } from './onnx/float/import.js';
export { writeOnnx } from './onnx/write/float.js';
export { importQuantized, quantizationState } from './onnx/quantized/import.js';
export { writeQdq } from './onnx/write/qdq.js';
export { writeQop } from './onnx/write/qop.js';
export { writeInteger } from './export-integer/write.js';
export { importTflite } from './tflite/import.js';
export { writeTflite } from './tflite/write/write.js';
export { canonicalize } from './passes/index.js';
export { openFloatRunner } from './float/runner.js';
export { quantizeGraph } from './quantize/quantize.js';
export { findRecipe, parseRecipe } from './quantize/recipe.js';
export type { Recipe } from './quantize/recipe.js';
export { allTargets, findTarget } from './targets/index.js';
export type { TargetSpec } from './targets/target.js';

export { lower } from './program/lower.js';
export { encode } from './program/encode.js';
export { decode } from './program/decode.js';
export { interpret } from './program/interpret.js';
export { pixelTable, quantizeInput } from './program/input.js';
export type { Program } from './program/program.js';
export type { CodeTensor, RunOptions, RunResult, Trap } from './program/executor.js';
export type { Codes } from './numeric/code-types.js';
export { Engine } from './engine/engine.js';
export type { EngineInput, PixelInput } from './engine/input.js';
export { nativeSolver } from './engine/solver.js';

export {
  decodeImage,
  fileSource,
  folderSource,
  labelledSource,
  loadSample,
  packedSource,
  presets,
  readNpy,
  resolvePreprocessing,
  writeNpy,
} from './data/index.js';
export type { LoadedSample, LoadedSource, NetworkInput, Preprocessing } from './data/index.js';
export { prove } from './prove/index.js';
export type { Certificate, LayerProof } from './prove/index.js';
export { cosine, openComparison, sqnrDb } from './analyze/index.js';
export { evaluate, paired95, placeLabel, tally, topClasses, wilson95 } from './evaluate/index.js';
