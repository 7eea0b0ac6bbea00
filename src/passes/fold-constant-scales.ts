// SPDX-License-Identifier: Apache-2.0
import { constantAffine, foldAffines } from './affine.js';
import type { Pass } from './pass.js';

/**
 * Merges additions, subtractions, multiplications and divisions by constants (one number or one
 * per channel) into the convolution that feeds them and nothing else: batch norms that an exporter
 * spelled out, and the bias of a fully connected layer.
 * Equal in real arithmetic; float32 may round differently.
 */
export const foldConstantScales: Pass = (graph) => foldAffines(graph, constantAffine);
