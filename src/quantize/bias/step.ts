// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph } from '../../graph/graph.js';
import type { Choices } from '../choices/choices.js';
import { nodeWithoutGradient } from '../distill/distill.js';
import { distills } from '../distill/settings.js';
import { convolutionsOf } from '../network/connections.js';
import { reconstructEntry } from '../reconstruct/settings.js';
import { recipeStep, type Context } from '../schedule/step.js';
import { correctBiasAnalytic } from './analytic.js';
import { correctBiasDataFree } from './data-free.js';
import { correctBiasIterated } from './iterated.js';
import { correctBiasEntry, type BiasMethod } from './settings.js';

const name = 'bias-correction';

/** Biases moved so that the means of the quantized network are the float network's. */
export const biasCorrectionStep = recipeStep(correctBiasEntry, {
  name,
  needs: ({ graph }, { method }, context) => {
    if (context.inputDistribution !== undefined) {
      return { moments: convolutionsOf(graph).map(inputOf) };
    }
    const iterates = usefulMethod(method, graph, context) === 'iterated';
    return iterates ? { active: clampedValues(graph) } : {};
  },
  apply: async (state, { active, moments }, settings, context) => {
    const { samples, openFloatRunner, onProgress } = context;
    if (context.inputDistribution !== undefined) {
      const corrected = correctBiasDataFree(state, moments);
      return { state: { biases: corrected }, changed: describe(state, corrected, 'data-free') };
    }
    const method = usefulMethod(settings.method, state.graph, context);
    if (method === 'none') return { state: {}, changed: 'left to the gradients that follow' };
    const matched = matchesMeans(context);
    if (matched && method === 'analytic') {
      return { state: {}, changed: 'nothing: reconstruct has matched the means of each layer' };
    }
    let biases = matched
      ? state.biases
      : await correctBiasAnalytic(state, samples, openFloatRunner);
    if (method === 'iterated') {
      const onPass = (done: number, count: number): void => {
        onProgress(name, done, count);
      };
      const corrected = { ...state, biases };
      biases = await correctBiasIterated(corrected, active, samples, openFloatRunner, onPass);
    }
    return { state: { biases }, changed: describe(state, biases, method) };
  },
});

/** Whether reconstruction has given each layer the bias that makes its means right. */
function matchesMeans({ recipe }: Context): boolean {
  return reconstructEntry.settingsIn(recipe) !== false;
}

/**
 * Gradients go further than passes over the whole network, so those are left out where gradients follow;
 * after reconstruction, which matches the means of each layer, nothing is left to do.
 */
function usefulMethod(method: BiasMethod, graph: Graph, context: Context): BiasMethod | 'none' {
  if (method !== 'iterated' || !distills(context.recipe, context.scheme.bits)) return method;
  if (nodeWithoutGradient(graph) !== undefined) return method;
  return matchesMeans(context) ? 'none' : 'analytic';
}

function inputOf(conv: ConvNode): string {
  return conv.inputs[0]!;
}

function clampedValues(graph: Graph): string[] {
  return graph.nodes.flatMap((node) => ('clamp' in node ? node.outputs : []));
}

/** The largest move of a bias, in steps of the layer's output. */
function describe(
  choices: Choices,
  biases: ReadonlyMap<string, Float64Array>,
  how: string,
): string {
  let largest = 0;
  let where = '';
  for (const conv of convolutionsOf(choices.graph)) {
    const before = choices.biases.get(conv.name)!;
    const { scale } = choices.activations.get(conv.outputs[0]!)!;
    biases.get(conv.name)!.forEach((bias, c) => {
      const steps = Math.abs(bias - before[c]!) / scale;
      if (steps > largest) [largest, where] = [steps, conv.name];
    });
  }
  return `${biases.size} layers, ${how}; largest move ${largest.toFixed(1)} output steps (${where})`;
}
