// SPDX-License-Identifier: Apache-2.0
// A network in which layers differ in the scheme of their weights and in the width of their
// activations: how it is built from one with the widest weights and 8-bit activations, and what it
// costs.
import type { QuantConv, QuantGraph } from '../../graph/quant-graph.js';
import type { TargetConstraints } from '../../targets/target.js';
import { widenQuantGraph } from '../activation-width/widths.js';
import { layerBytes, layerMacs, schemeIn, withScheme, type Scheme } from './schemes.js';

/** What differs from the network that it is built from. */
export interface Mix {
  /** Weight schemes by layer; the widest where absent. */
  readonly schemes: ReadonlyMap<string, Scheme>;
  /** Layers on 16-bit activations. */
  readonly wide: ReadonlySet<string>;
}

/** A cheaper choice for one layer: other weights, or 8-bit activations. */
export interface Candidate {
  readonly layer: string;
  readonly change: Scheme | 'narrow';
  /** Bytes of weights, or of activations written for one image. */
  readonly saved: number;
  /** Energy that it alone adds to the scores. */
  readonly noise: number;
  readonly sqnrDb: number;
}

/** What a network takes. */
export interface Size {
  /** Of weights, biases and multipliers. */
  readonly bytes: number;
  /** Written by all convolutions for one image. */
  readonly activationBytes: number;
  /**
   * Multiply-accumulates times bits of the weight, for one image, in millions; those on 16-bit
   * activations count twice.
   */
  readonly bitOps: number;
}

/** All convolutions, in the order of the graph. */
export function convolutionsIn(graph: QuantGraph): QuantConv[] {
  return graph.nodes.filter((node) => node.op === 'Conv');
}

/** Elements of a layer's output; of 16 bits each takes two bytes. */
export function outputSize(graph: QuantGraph, conv: QuantConv): number {
  return graph.values.get(conv.output)!.shape.reduce((a, b) => a * b, 1);
}

/** @param base with the widest weights and 8-bit activations everywhere */
export function buildMix(
  base: QuantGraph,
  { schemes, wide }: Mix,
  constraints: TargetConstraints,
): QuantGraph {
  const reweighted = [...schemes].reduce(
    (graph, [layer, scheme]) => withScheme(graph, layer, scheme, constraints),
    base,
  );
  return wide.size === 0 ? reweighted : widenQuantGraph(reweighted, wide);
}

/** Of two weight schemes for a layer the one that saves more stands. */
export function withCandidates({ schemes, wide }: Mix, candidates: readonly Candidate[]): Mix {
  const chosen = new Map(schemes);
  const savings = new Map<string, number>();
  const left = new Set(wide);
  for (const { layer, change, saved } of candidates) {
    if (change === 'narrow') {
      left.delete(layer);
    } else if (saved > (savings.get(layer) ?? 0)) {
      chosen.set(layer, change);
      savings.set(layer, saved);
    }
  }
  return { schemes: chosen, wide: left };
}

/** @param base the network that the mix is built from */
export function sizeOf(base: QuantGraph, { schemes, wide }: Mix): Size {
  let [bytes, activationBytes, ops] = [0, 0, 0];
  for (const conv of convolutionsIn(base)) {
    const scheme = schemes.get(conv.name) ?? schemeIn(conv);
    const widths = wide.has(conv.name) ? 2 : 1;
    bytes += layerBytes(conv, scheme);
    activationBytes += widths * outputSize(base, conv);
    ops += layerMacs(base, conv) * scheme.bits * widths;
  }
  return { bytes, activationBytes, bitOps: ops / 1e6 };
}
