// SPDX-License-Identifier: Apache-2.0
import type { FloatRunner, Graph, OpenFloatRunner } from '../../graph/graph.js';
import type { QuantGraph } from '../../graph/quant-graph.js';
import type { SampleSource } from '../../graph/samples.js';
import { realInputOf, simulate } from '../choices/simulate.js';
import { cutValues, segment } from './segments.js';

/** One image's values in both networks, by value name. */
export interface Pair {
  readonly real: ReadonlyMap<string, Float32Array>;
  /** The quantized network's, as code - zero point. */
  readonly steps: ReadonlyMap<string, Float32Array>;
}

interface Kept {
  readonly real: Float32Array;
  readonly steps: Int16Array;
}

/** Bytes that one kept element takes. */
const keptBytes = 6;

/**
 * Runs the float network and the quantized one side by side over all samples, from layer to layer.
 * Values through which everything flows are kept for all images, as long as they fit `budget`
 * bytes, and the next pass starts there: going through the network layer by layer then costs about as
 * much as running it twice.
 */
export class Frontier {
  readonly #graph: Graph;
  readonly #samples: SampleSource;
  readonly #open: OpenFloatRunner;
  readonly #budget: number;
  readonly #cuts: ReadonlySet<string>;
  #at: string;
  #kept: readonly Kept[] | undefined;

  constructor(graph: Graph, samples: SampleSource, open: OpenFloatRunner, budget: number) {
    this.#graph = graph;
    this.#samples = samples;
    this.#open = open;
    this.#budget = budget;
    this.#cuts = new Set(cutValues(graph));
    this.#at = graph.inputs[0]!.name;
  }

  /**
   * Visits the named values of every image. They must not lie before the last value that was kept.
   * The first of them is kept if it can be.
   */
  async each(
    quantGraph: QuantGraph,
    values: readonly string[],
    visit: (pair: Pair, image: number) => void,
  ): Promise<void> {
    const [first] = values;
    const keeps = this.#canKeep(first!);
    const kept: Kept[] = [];
    let image = 0;
    for await (const pair of this.#pairs(quantGraph, values)) {
      visit(pair, image++);
      if (!keeps) continue;
      const steps = Int16Array.from(pair.steps.get(first!)!);
      kept.push({ real: pair.real.get(first!)!, steps });
    }
    if (keeps) [this.#at, this.#kept] = [first!, kept];
  }

  #canKeep(value: string): boolean {
    if (!this.#cuts.has(value) || (value === this.#at && this.#kept !== undefined)) return false;
    const elements = this.#graph.shapes.get(value)?.reduce((a, b) => a * b, 1) ?? Infinity;
    return elements * keptBytes * this.#samples.count <= this.#budget;
  }

  async *#pairs(quantGraph: QuantGraph, values: readonly string[]): AsyncGenerator<Pair> {
    const simulated = simulate(quantGraph);
    const from = this.#kept === undefined ? realInputOf(this.#at) : this.#at;
    const real = await this.#opened(segment(this.#graph, this.#at, values), this.#at);
    const steps = await this.#opened(segment(simulated, from, values), from);
    try {
      for await (const start of this.#starts()) {
        yield {
          real: withInput(await real?.run(start.real), this.#at, start.real),
          steps: withInput(await steps?.run(start.steps), from, start.steps),
        };
      }
    } finally {
      await real?.close();
      await steps?.close();
    }
  }

  /** Nothing where all that is asked for is the input. */
  async #opened(graph: Graph, from: string): Promise<FloatRunner | undefined> {
    const wanted = graph.outputs.map((output) => output.name).filter((name) => name !== from);
    return wanted.length === 0 ? undefined : this.#open(graph, []);
  }

  async *#starts(): AsyncGenerator<{ real: Float32Array; steps: Float32Array }> {
    if (this.#kept === undefined) {
      for await (const { input } of this.#samples) yield { real: input, steps: input };
      return;
    }
    for (const { real, steps } of this.#kept) yield { real, steps: Float32Array.from(steps) };
  }
}

function withInput(
  outputs: ReadonlyMap<string, Float32Array> | undefined,
  name: string,
  input: Float32Array,
): ReadonlyMap<string, Float32Array> {
  return new Map([...(outputs ?? []), [name, input]]);
}
