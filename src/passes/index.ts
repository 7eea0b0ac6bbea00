// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../graph/graph.js';
import { affineToDepthwise } from './affine-to-depthwise.js';
import { checkCanonical } from './check-canonical.js';
import { denseToConv } from './dense-to-conv.js';
import { expandPads } from './expand-pads.js';
import { foldBatchNorm } from './fold-batch-norm.js';
import { foldConstants } from './fold-constants.js';
import { foldPads } from './fold-pads.js';
import { fuseClamps } from './fuse-clamps.js';
import { inputToNchw } from './input-to-nchw.js';
import { leaveOutOutputMoves } from './leave-out-output-moves.js';
import type { Pass } from './pass.js';
import { poolsToGlobal } from './pools-to-global.js';
import { recognizeHardSwish } from './recognize-hard-swish.js';
import { removeIdle } from './remove-idle.js';
import { shufflesToConv } from './shuffles-to-conv.js';
import { sinkReshapes } from './sink-reshapes.js';
import { sinkTransposes } from './sink-transposes.js';

export type { Pass } from './pass.js';

/** The passes of {@link canonicalize}, by name, in the order in which they run. */
export const passes: readonly (readonly [name: string, pass: Pass])[] = [
  ['foldConstants', foldConstants],
  ['removeIdle', removeIdle],
  ['shufflesToConv', shufflesToConv],
  ['inputToNchw', inputToNchw],
  ['sinkTransposes', sinkTransposes],
  ['recognizeHardSwish', recognizeHardSwish],
  ['poolsToGlobal', poolsToGlobal],
  ['denseToConv', denseToConv],
  ['sinkReshapes', sinkReshapes],
  ['removeIdle', removeIdle],
  ['expandPads', expandPads],
  ['foldBatchNorm', foldBatchNorm],
  ['affineToDepthwise', affineToDepthwise],
  ['foldBatchNorm', foldBatchNorm],
  ['foldPads', foldPads],
  ['fuseClamps', fuseClamps],
  ['removeIdle', removeIdle],
  ['leaveOutOutputMoves', leaveOutOutputMoves],
  ['checkCanonical', checkCanonical],
];

/**
 * Brings an imported graph into the form that quantizers work on: one input [1,C,H,W]; Conv and
 * Add with their clamps, Mul, Clamp, AveragePool, MaxPool, GlobalAveragePool, Concat of channels,
 * Pad, Reshape, Softmax, HardSwish, HardSigmoid, Sigmoid. Reshapes and transposes that reorder an
 * image at an output are left out, which `leftOutOf` (graph/left-out.ts) tells.
 *
 * @returns a graph that computes the same up to float32 rounding
 * @throws ModelError `unsupported-graph`, `unsupported-input`, `bad-batch-norm`
 */
export function canonicalize(graph: Graph): Graph {
  return passes.reduce((current, [, pass]) => pass(current), graph);
}
