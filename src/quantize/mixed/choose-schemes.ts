// SPDX-License-Identifier: Apache-2.0
// Mixed precision by measured sensitivity.
//
// Symbols: y [K] the scores of the widest network W on a held-out image; a candidate c is one
// cheaper choice for one layer; n_c the energy sum |y - y_c|^2 over the images when only c is
// taken; v_c the bytes that it saves.
//
//   take as many candidates as keep   agreement(mix) >= agreement(W) - maxDrop
//
//   1. Measure n_c of every candidate alone, the network simulated.
//   2. Sort by n_c / v_c: noise of different layers adds up to first order, so this is the greedy order of the
//      knapsack problem of smallest noise for bytes saved.
//   3. The longest prefix that keeps the agreement, by bisection; each trial is measured as a whole network.
import type { Graph, OpenFloatRunner } from '../../graph/graph.js';
import type { QuantConv, QuantGraph } from '../../graph/quant-graph.js';
import type { SampleSource } from '../../graph/samples.js';
import type { TargetConstraints } from '../../targets/target.js';
import { canBeWide } from '../activation-width/widths.js';
import { simulate } from '../choices/simulate.js';
import {
  buildMix,
  convolutionsIn,
  outputSize,
  sizeOf,
  withCandidates,
  type Candidate,
  type Mix,
  type Size,
} from './mix.js';
import { layerBytes, schemeIn, schemesOf, type Scheme } from './schemes.js';

/** The network to be made cheaper, and what is judged by. */
export interface ChooseOptions {
  /** Quantized with the widest weights and 8-bit activations everywhere. */
  readonly quantGraph: QuantGraph;
  /** The float network. */
  readonly graph: Graph;
  readonly constraints: TargetConstraints;
  /** Whether layers may have 16-bit activations; then all that can begin with them. */
  readonly wide: boolean;
  /** Images that the ranges were not chosen on. */
  readonly samples: SampleSource;
  readonly openFloatRunner: OpenFloatRunner;
  /** Most points of agreement with float to be given up against the widest choice. */
  readonly maxDrop: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What one layer got, and what it was measured at alone. */
export interface LayerChoice extends Scheme {
  readonly name: string;
  readonly activationBits: number;
  readonly bytes: number;
  /** Of the scores, when only this layer has the weight scheme; null for the widest. */
  readonly sqnrDb: number | null;
  /** Of the scores, when only this layer has 8-bit activations; null where that was no choice. */
  readonly activationSqnrDb: number | null;
}

/** A network by what it takes and what it keeps. */
export interface Cost extends Size {
  /** Images on which it chooses float's class, percent. */
  readonly agreement: number;
}

/** What every layer got, and what that does to the network. */
export interface SchemeChoice {
  readonly layers: readonly LayerChoice[];
  readonly before: Cost;
  readonly after: Cost;
  /** Weight schemes that the target offers. */
  readonly offered: readonly Scheme[];
  /** Widths of activations to choose from. */
  readonly activationBits: readonly number[];
}

/**
 * Chooses something cheaper for as many layers as the wished-for agreement allows: other weights, 8-bit
 * activations for 16-bit ones. Each is tried alone, simulated, on held-out images: the noise it
 * adds to the scores for each byte it saves puts the candidates in order (noise of different layers
 * adds up, to first order). The longest prefix that keeps the agreement is found by bisection,
 * measured as a whole network.
 */
export async function chooseSchemes(options: ChooseOptions): Promise<SchemeChoice> {
  const { quantGraph, graph, constraints, maxDrop, wide } = options;
  const layers = convolutionsIn(quantGraph);
  const widest: Mix = {
    schemes: new Map(),
    wide: new Set(wide ? layers.filter(canBeWide).map(({ name }) => name) : []),
  };
  const expected = await scoresOf(graph, options);
  const scores = await scoresOfMix(widest, options);
  const before = { ...sizeOf(quantGraph, widest), agreement: agreement(expected, scores) };
  const candidates = await measure(options, widest, scores);
  let best = { mix: widest, count: 0, agreement: before.agreement };
  let [low, high] = [1, candidates.length];
  while (low <= high) {
    const count = Math.floor((low + high) / 2);
    const mix = withCandidates(widest, candidates.slice(0, count));
    const reached = agreement(expected, await scoresOfMix(mix, options));
    if (reached >= before.agreement - maxDrop) {
      best = { mix, count, agreement: reached };
      low = count + 1;
    } else {
      high = count - 1;
    }
  }
  const taken = candidates.slice(0, best.count);
  return {
    layers: layers.map((conv) => describe(conv, best.mix, taken)),
    before,
    after: { ...sizeOf(quantGraph, best.mix), agreement: best.agreement },
    offered: schemesOf(constraints),
    activationBits: widest.wide.size === 0 ? [8] : [16, 8],
  };
}

function describe(conv: QuantConv, mix: Mix, taken: readonly Candidate[]): LayerChoice {
  const { name } = conv;
  const own = taken.filter(({ layer }) => layer === name);
  const scheme = mix.schemes.get(name);
  const { bits, perChannel } = scheme ?? schemeIn(conv);
  return {
    ...{ name, bits, perChannel, activationBits: mix.wide.has(name) ? 16 : 8 },
    bytes: layerBytes(conv, { bits, perChannel }),
    sqnrDb: own.find(({ change }) => change === scheme)?.sqnrDb ?? null,
    activationSqnrDb: own.find(({ change }) => change === 'narrow')?.sqnrDb ?? null,
  };
}

/** Every cheaper choice of every layer; the cheapest noise for each byte first. */
async function measure(
  options: ChooseOptions,
  widest: Mix,
  scores: readonly Float64Array[],
): Promise<Candidate[]> {
  const { quantGraph, constraints, onProgress } = options;
  const offered = schemesOf(constraints);
  const layers = convolutionsIn(quantGraph);
  const candidates: Candidate[] = [];
  for (const [i, conv] of layers.entries()) {
    for (const { change, saved } of cheaper(quantGraph, conv, widest, offered)) {
      const alone = { layer: conv.name, change, saved, noise: 0, sqnrDb: 0 };
      const changed = await scoresOfMix(withCandidates(widest, [alone]), options);
      const { signal, noise } = difference(scores, changed);
      const sqnrDb = 10 * Math.log10(signal / Math.max(noise, Number.MIN_VALUE));
      candidates.push({ ...alone, noise, sqnrDb });
    }
    onProgress?.(i + 1, layers.length);
  }
  return candidates.sort((a, b) => a.noise / a.saved - b.noise / b.saved);
}

/** What a layer could have instead, and what that saves. */
function cheaper(
  graph: QuantGraph,
  conv: QuantConv,
  { wide }: Mix,
  offered: readonly Scheme[],
): Pick<Candidate, 'change' | 'saved'>[] {
  const bytes = layerBytes(conv, schemeIn(conv));
  const weights = offered
    .map((change) => ({ change, saved: bytes - layerBytes(conv, change) }))
    .filter(({ saved }) => saved > 0);
  const narrow = { change: 'narrow', saved: outputSize(graph, conv) } as const;
  return wide.has(conv.name) ? [...weights, narrow] : weights;
}

function scoresOfMix(mix: Mix, options: ChooseOptions): Promise<Float64Array[]> {
  const mixed = buildMix(options.quantGraph, mix, options.constraints);
  return scoresOf(simulate(mixed), options, mixed);
}

/** Scores of a float graph on all samples; of a simulation in real units. */
async function scoresOf(
  graph: Graph,
  { samples, openFloatRunner }: ChooseOptions,
  simulated?: QuantGraph,
): Promise<Float64Array[]> {
  const output = graph.outputs[0]!.name;
  const step = simulated?.values.get(output)?.scale ?? 1;
  const runner = await openFloatRunner(graph, []);
  const scores: Float64Array[] = [];
  try {
    for await (const { input } of samples) {
      scores.push(Float64Array.from((await runner.run(input)).get(output)!, (x) => x * step));
    }
  } finally {
    await runner.close();
  }
  return scores;
}

function argmax(scores: Float64Array): number {
  let top = 0;
  scores.forEach((score, i) => {
    if (score > scores[top]!) top = i;
  });
  return top;
}

function agreement(expected: readonly Float64Array[], scores: readonly Float64Array[]): number {
  const same = scores.filter((list, i) => argmax(list) === argmax(expected[i]!)).length;
  return (100 * same) / Math.max(scores.length, 1);
}

function difference(a: readonly Float64Array[], b: readonly Float64Array[]) {
  let signal = 0;
  let noise = 0;
  a.forEach((scores, i) => {
    scores.forEach((score, j) => {
      signal += score ** 2;
      noise += (score - b[i]![j]!) ** 2;
    });
  });
  return { signal, noise };
}
