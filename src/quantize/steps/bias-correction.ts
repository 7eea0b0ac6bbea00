// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph } from '../../graph/graph.js';
import { convolutionsOf } from '../connections.js';
import { correctBiasDataFree } from '../correct-bias-data-free.js';
import { correctBiasAnalytic, correctBiasIterated } from '../correct-bias.js';
import { nodeWithoutGradient } from '../distill.js';
import { distills, type Recipe } from '../recipe.js';
import type { Choices } from '../state.js';
import type { WeightScheme } from '../weights.js';
import type { Step } from './step.js';

type Method = Recipe['correctBias'];

const name = 'bias-correction';

/** Biases moved so that the means of the quantized network are the float network's. */
export const biasCorrectionStep: Step = {
  name,
  wanted: ({ recipe }) => recipe.correctBias !== 'none',
  needs: ({ graph }, { recipe, inputLaw, scheme }) => {
    if (inputLaw !== undefined) return { moments: convolutionsOf(graph).map(inputOf) };
    const method = methodOf(recipe, scheme, graph);
    return method === 'iterated' ? { active: clampedValues(graph) } : {};
  },
  apply: async (state, { active, moments }, context) => {
    const { recipe, scheme, samples, openFloatRunner, onProgress } = context;
    if (context.inputLaw !== undefined) {
      const corrected = correctBiasDataFree(state, moments);
      return { state: { biases: corrected }, changed: describe(state, corrected, 'data-free') };
    }
    const method = methodOf(recipe, scheme, state.graph);
    if (method === 'none') return { state: {}, changed: 'left to the gradients that follow' };
    const matched = recipe.reconstruct !== false;
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
};

/**
 * Gradients go further than passes over the whole network, so those are left out where gradients follow;
 * after reconstruction, which matches the means of each layer, nothing is left to do.
 */
function methodOf(recipe: Recipe, { bits }: WeightScheme, graph: Graph): Method {
  const { correctBias, reconstruct } = recipe;
  if (correctBias !== 'iterated' || !distills(recipe, bits)) return correctBias;
  if (nodeWithoutGradient(graph) !== undefined) return correctBias;
  return reconstruct === false ? 'analytic' : 'none';
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
