// SPDX-License-Identifier: Apache-2.0
import { batchNormAffine, foldAffines } from './affine.js';
import type { Pass } from './pass.js';

/**
 * Merges each batch norm into the convolution (dense, depthwise or a former fully connected layer)
 * that feeds it and nothing else, and keeps its parameters in `normalizations`.
 * Equal in real arithmetic; float32 may round differently.
 */
export const foldBatchNorm: Pass = (graph) =>
  foldAffines(graph, (all, node) =>
    node.op === 'BatchNorm' ? batchNormAffine(all, node) : undefined,
  );
