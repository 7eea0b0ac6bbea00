// SPDX-License-Identifier: Apache-2.0
export { decodeImage } from './decode.js';
export type { GeometryChoice } from './geometry.js';
export { classFolders, readLabels, readNames, resolveLabelOffset } from './labels.js';
export { loadSample, toNchw } from './load-sample.js';
export type { InputKind, LoadOptions, LoadedSample } from './load-sample.js';
export { makeFolder } from './make-folder.js';
export { readNpy, writeNpy } from './npy.js';
export type { NpyArray, NpyDType } from './npy.js';
export { packedSource } from './packed.js';
export { resolvePreprocessing } from './preprocessing.js';
export type { NetworkInput, Preprocessing } from './preprocessing.js';
export { normalize, pixelValues, presets } from './presets.js';
export type { Preset } from './presets.js';
export { remember } from './remember.js';
export { fileSource, folderSource, itemSource, labelledSource } from './source.js';
export type { LoadedSource } from './source.js';
export { requireFree, writeFileAtomic } from './write-file.js';
export { lockFolder } from './lock-folder.js';
