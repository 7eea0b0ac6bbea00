// SPDX-License-Identifier: Apache-2.0
import { ModelError, UsageError } from '../errors.js';
import { openFloatRunner } from '../float/runner.js';
import type { Graph } from '../graph/graph.js';
import type { Sample, SampleSource } from '../graph/samples.js';
import { lower } from '../program/lower.js';
import { quantizeGraph } from '../quantize/quantize.js';
import { findRecipe } from '../quantize/recipe.js';
import type { TargetSpec } from '../targets/target.js';

/**
 * What a target cannot represent of a float network: it is quantized naively on an image of noise and
 * lowered, which finds what depends on the network's structure.
 *
 * @param graph canonical
 * @returns undefined where nothing is refused, or where noise is no input for it
 */
export async function refusalOf(graph: Graph, target: TargetSpec): Promise<ModelError | undefined> {
  // Bounds of clamps may fall into one code in a small or in a large range, and into several in the other.
  return (await refusalAt(graph, target, 1)) ?? (await refusalAt(graph, target, 16));
}

async function refusalAt(
  graph: Graph,
  target: TargetSpec,
  amplitude: number,
): Promise<ModelError | undefined> {
  try {
    const { quantGraph } = await quantizeGraph({
      graph,
      samples: noiseFor(graph, amplitude),
      constraints: target.constraints,
      recipe: findRecipe('naive'),
      openFloatRunner,
    });
    lower(quantGraph, target);
    return undefined;
  } catch (error) {
    // Without onnxruntime-node the rest of what can be said of a model is still worth saying.
    if (error instanceof UsageError && error.code === 'missing-package') return undefined;
    if (!(error instanceof ModelError)) throw error;
    return error.code === 'not-finite' ? undefined : error;
  }
}

/** One image of values up to an amplitude, the same in every run (a linear congruential generator). */
function noiseFor(graph: Graph, amplitude: number): SampleSource {
  const size = graph.inputs[0]!.shape.reduce((a, b) => a * b, 1);
  let state = 1;
  const input = Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (amplitude * state) / 2 ** 31;
  });
  return {
    count: 1,
    async *[Symbol.asyncIterator](): AsyncIterator<Sample> {
      yield await Promise.resolve({ name: 'noise', input });
    },
  };
}
