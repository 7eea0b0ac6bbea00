// SPDX-License-Identifier: Apache-2.0
import type { Graph, OpenFloatRunner } from '../graph/graph.js';
import type { QuantConv, QuantGraph } from '../graph/quant-graph.js';
import type { SampleSource } from '../graph/samples.js';
import type { TargetConstraints } from '../targets/target.js';
import {
  layerBytes,
  layerMacs,
  schemeIn,
  schemesOf,
  withScheme,
  type Scheme,
} from './mixed-schemes.js';
import { simulate } from './simulate.js';

export interface ChooseOptions {
  /** Quantized with the widest scheme everywhere. */
  readonly quantGraph: QuantGraph;
  /** The float network. */
  readonly graph: Graph;
  readonly constraints: TargetConstraints;
  /** Images that the ranges were not chosen on. */
  readonly samples: SampleSource;
  readonly openFloatRunner: OpenFloatRunner;
  /** Most points of agreement with float to be given up against the widest scheme. */
  readonly maxDrop: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What one layer got, and what it was measured at alone. */
export interface LayerChoice extends Scheme {
  readonly name: string;
  readonly bytes: number;
  /** Of the scores, when only this layer has the scheme; null for the widest. */
  readonly sqnrDb: number | null;
}

/** A network by what it costs and what it keeps. */
export interface Cost {
  readonly bytes: number;
  /** Multiply-accumulates times bits of the weight, for one image, in millions. */
  readonly bitOps: number;
  /** Images on which it chooses float's class, percent. */
  readonly agreement: number;
}

export interface SchemeChoice {
  readonly layers: readonly LayerChoice[];
  readonly before: Cost;
  readonly after: Cost;
  /** Schemes that the target offers. */
  readonly offered: readonly Scheme[];
}

interface Candidate {
  readonly conv: QuantConv;
  readonly scheme: Scheme;
  readonly saved: number;
  readonly noise: number;
  readonly sqnrDb: number;
}

/**
 * Chooses a cheaper weight scheme for as many layers as the wished-for agreement allows. Each
 * layer is tried alone in each scheme, simulated, on held-out images: the noise it adds to the
 * scores for each byte it saves puts the candidates in order (noise of different layers adds up, to
 * first order). The longest prefix that keeps the agreement is found by bisection, measured as a
 * whole network.
 */
export async function chooseSchemes(options: ChooseOptions): Promise<SchemeChoice> {
  const { quantGraph, graph, constraints, maxDrop } = options;
  const offered = schemesOf(constraints);
  const expected = await scoresOf(graph, options);
  const scores = await scoresOf(simulate(quantGraph), options, quantGraph);
  const before = costOf(quantGraph, agreement(expected, scores));
  const candidates = await measure(options, scores, offered);
  const least = before.agreement - maxDrop;
  let best = { graph: quantGraph, count: 0, agreement: before.agreement };
  let [low, high] = [1, candidates.length];
  while (low <= high) {
    const count = Math.floor((low + high) / 2);
    const mixed = apply(quantGraph, candidates.slice(0, count), constraints);
    const reached = agreement(expected, await scoresOf(simulate(mixed), options, mixed));
    if (reached >= least) {
      best = { graph: mixed, count, agreement: reached };
      low = count + 1;
    } else {
      high = count - 1;
    }
  }
  const taken = new Map(
    candidates.slice(0, best.count).map((one) => [one.conv.name, one] as const),
  );
  return {
    layers: convs(best.graph).map((conv) => {
      const scheme = schemeIn(conv);
      const sqnrDb = taken.get(conv.name)?.sqnrDb ?? null;
      return { name: conv.name, ...scheme, bytes: layerBytes(conv, scheme), sqnrDb };
    }),
    before,
    after: costOf(best.graph, best.agreement),
    offered,
  };
}

/** Every cheaper scheme of every layer; the cheapest noise for each byte first. */
async function measure(
  options: ChooseOptions,
  scores: readonly Float64Array[],
  offered: readonly Scheme[],
): Promise<Candidate[]> {
  const { quantGraph, constraints, onProgress } = options;
  const layers = convs(quantGraph);
  const candidates: Candidate[] = [];
  for (const [i, conv] of layers.entries()) {
    const bytes = layerBytes(conv, schemeIn(conv));
    for (const scheme of offered) {
      const saved = bytes - layerBytes(conv, scheme);
      if (saved <= 0) continue;
      const tried = withScheme(quantGraph, conv.name, scheme, constraints);
      const changed = await scoresOf(simulate(tried), options, tried);
      const { signal, noise } = difference(scores, changed);
      const sqnrDb = 10 * Math.log10(signal / Math.max(noise, Number.MIN_VALUE));
      candidates.push({ conv, scheme, saved, noise, sqnrDb });
    }
    onProgress?.(i + 1, layers.length);
  }
  return candidates.sort((a, b) => a.noise / a.saved - b.noise / b.saved);
}

/** Later candidates of a layer replace earlier ones where they save more. */
function apply(
  graph: QuantGraph,
  candidates: readonly Candidate[],
  constraints: TargetConstraints,
): QuantGraph {
  const chosen = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const present = chosen.get(candidate.conv.name);
    if (present === undefined || present.saved < candidate.saved) {
      chosen.set(candidate.conv.name, candidate);
    }
  }
  let mixed = graph;
  for (const { conv, scheme } of chosen.values()) {
    mixed = withScheme(mixed, conv.name, scheme, constraints);
  }
  return mixed;
}

function convs(graph: QuantGraph): QuantConv[] {
  return graph.nodes.filter((node) => node.op === 'Conv');
}

function costOf(graph: QuantGraph, agrees: number): Cost {
  const layers = convs(graph).map((conv) => ({ conv, scheme: schemeIn(conv) }));
  const bytes = layers.reduce((sum, { conv, scheme }) => sum + layerBytes(conv, scheme), 0);
  const ops = layers.reduce(
    (sum, { conv, scheme }) => sum + layerMacs(graph, conv) * scheme.bits,
    0,
  );
  return { bytes, bitOps: ops / 1e6, agreement: agrees };
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
