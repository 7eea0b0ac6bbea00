// SPDX-License-Identifier: Apache-2.0
import { collect } from '../../calibrate/collect.js';
import { derive } from '../../calibrate/data-free/index.js';
import type { Needs, Statistics } from '../../calibrate/statistics.js';
import type { Graph } from '../../graph/graph.js';
import { exposePreActivations } from '../network/pre-activations.js';
import type { Context, ScheduledStep, State } from './step.js';

const none: Statistics = {
  images: 0,
  range: new Map(),
  histogram: new Map(),
  weightedHistogram: new Map(),
  channelRange: new Map(),
  moments: new Map(),
  each: new Map(),
  active: new Map(),
  tail: new Map(),
};

/**
 * Statistics for the steps: one pass over the images for each form that the float network takes;
 * without images, derived from its batch norms.
 */
export class Gatherer {
  readonly #context: Context;
  #graph: Graph | undefined;
  #served: readonly ScheduledStep[] = [];
  #statistics = none;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @param ahead the step whose turn it is, and those after it */
  async for(ahead: readonly ScheduledStep[], state: State): Promise<Statistics> {
    if (isEmpty(ahead[0]!.needs(state))) return none;
    if (this.#graph === state.graph && this.#served.includes(ahead[0]!)) return this.#statistics;
    const sharing = untilRewritten(ahead);
    const needs = sharing.map((step) => step.needs(state)).reduce(merge, {});
    // Named for the user by the step that the pass is for.
    const { name, rewrites } = sharing.at(-1)!;
    const label = rewrites ? name : 'calibrate';
    this.#graph = state.graph;
    this.#served = sharing;
    const graph = needs.tail === undefined ? state.graph : exposePreActivations(state.graph);
    this.#statistics = await this.#gather(graph, needs, label);
    return this.#statistics;
  }

  #gather(graph: Graph, needs: Needs, label: string): Statistics | Promise<Statistics> {
    const { inputDistribution, samples, openFloatRunner, onProgress } = this.#context;
    if (inputDistribution !== undefined) return derive(graph, inputDistribution, needs);
    return collect(graph, samples, openFloatRunner, needs, (done) => {
      onProgress(label, done, samples.count);
    });
  }
}

/** The steps that see the network as it is now: up to the first that replaces it. */
function untilRewritten(ahead: readonly ScheduledStep[]): readonly ScheduledStep[] {
  const last = ahead.findIndex((step) => step.rewrites);
  return last < 0 ? ahead : ahead.slice(0, last + 1);
}

const lists = ['range', 'histogram', 'channelRange', 'moments', 'each', 'active'] as const;

function merge(a: Needs, b: Needs): Needs {
  const merged = Object.fromEntries(
    lists.map((kind) => [kind, [...new Set([...(a[kind] ?? []), ...(b[kind] ?? [])])]]),
  );
  const tail = joined(a.tail, b.tail);
  const weightedHistogram = joined(a.weightedHistogram, b.weightedHistogram);
  return {
    ...merged,
    ...(tail === undefined ? {} : { tail }),
    ...(weightedHistogram === undefined ? {} : { weightedHistogram }),
  };
}

function joined<Value>(
  a: ReadonlyMap<string, Value> | undefined,
  b: ReadonlyMap<string, Value> | undefined,
): ReadonlyMap<string, Value> | undefined {
  return a === undefined || b === undefined ? (a ?? b) : new Map([...a, ...b]);
}

function isEmpty(needs: Needs): boolean {
  return (
    needs.tail === undefined &&
    needs.weightedHistogram === undefined &&
    lists.every((kind) => (needs[kind] ?? []).length === 0)
  );
}
