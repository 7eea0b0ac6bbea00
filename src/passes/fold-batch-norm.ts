// SPDX-License-Identifier: Apache-2.0
import { foldAffines } from './affine.js';
import type { Pass } from './pass.js';

/**
 * Merges each batch norm into the convolution (dense, depthwise or a former fully connected layer)
 * that feeds it and nothing else, and keeps its parameters in `normalizations`. The same for batch
 * norms that an exporter spelled out, and for the bias of a former MatMul: additions, subtractions,
 * multiplications and divisions by one constant, or one per channel.
 * Equal in real arithmetic; float32 may round differently.
 */
export const foldBatchNorm: Pass = (graph) => foldAffines(graph);
