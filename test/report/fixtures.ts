// SPDX-License-Identifier: Apache-2.0
import type { LayerComparison } from '../../src/analyze/index.js';
import type { EvaluateDocument } from '../../src/report/index.js';

export type { EvaluateDocument } from '../../src/report/index.js';
export type LayerRow = LayerComparison;

export const layer: LayerComparison = {
  name: 'conv',
  op: 'conv',
  kind: 'dense',
  sqnrDb: 20,
  sqnrIsolatedDb: 30,
  rmsErrorLsb: 1.5,
  rmsErrorIsolatedLsb: 0.5,
  maxErrorLsb: 9,
  maxErrorIsolatedLsb: 2,
  cosine: 0.99,
  maxAbsError: 0.5,
  saturatedPercent: 0,
};

export const evaluation: EvaluateDocument = {
  model: 'm.onnx',
  models: {},
  target: 't@1',
  evidence: 'verified',
  subset: true,
  n: 650,
  top1: 66.3077,
  top1Ci95: [62.5901, 69.8402],
  top5: 93.23,
  tiesAtTopPercent: 22.6154,
  top1IfTiesCount: 78.3077,
  float: { top1: 78, top5: 95 },
  paired: { delta: -1.6923, ci95: [-3.154, -0.2201], better: 6, worse: 17, pValue: 0.0347 },
  top1Agreement: 90,
  labelOffset: 0,
  threads: 2,
  imagesPerSecond: 19.3,
  resumedFrom: 5,
  notes: [],
  preprocess: 'tf',
  preprocessDecidedBy: 'flag',
  geometry: 'auto',
  geometryApplied: {},
};
