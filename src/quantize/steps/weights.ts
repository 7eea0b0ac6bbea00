// SPDX-License-Identifier: Apache-2.0
import type { Statistics } from '../../calibrate/statistics.js';
import type { ConvNode, Graph } from '../../graph/graph.js';
import type { QuantWeight } from '../../graph/quant-graph.js';
import { fitBias } from '../bias.js';
import { biasOf, convolutionsOf, weightOf } from '../connections.js';
import { inputQuantization } from '../state.js';
import { chooseWeightGrid, quantizeWeights } from '../weights.js';
import type { Step } from './step.js';

/** Grids of all weights, each weight rounded to the nearest code, and real biases; always wanted. */
export const weightsStep: Step = {
  name: 'weights',
  wanted: () => true,
  needs: ({ graph }, { recipe }) => (recipe.weights.method === 'mse' ? inputMoments(graph) : {}),
  apply: (state, statistics, { recipe, constraints, scheme, schemeOf }) => {
    const { graph } = state;
    const weights = new Map<string, QuantWeight>();
    const biases = new Map<string, Float64Array>();
    const raised = new Map(state.raised);
    for (const conv of convolutionsOf(graph)) {
      const { data, shape } = weightOf(graph, conv);
      const bias = biasOf(graph, conv);
      const { method } = recipe.weights;
      const importance = method === 'mse' ? inputPower(graph, conv, statistics) : undefined;
      const own = schemeOf(conv.name);
      const chosen = chooseWeightGrid(data, shape[0]!, own, method, importance);
      const { scale } = inputQuantization(state, conv);
      const fitted = fitBias(chosen, bias, scale, own.powerOfTwo, constraints.biasLimit);
      if (fitted.raised > 0) raised.set(conv.name, fitted.raised);
      weights.set(conv.name, quantizeWeights(data, shape, own, fitted.grid));
      biases.set(conv.name, Float64Array.from(bias));
    }
    const per = scheme.perChannel ? 'channel' : 'tensor';
    return {
      state: { weights, biases, raised },
      changed: `${weights.size} layers, ${scheme.bits} bits, per ${per}, ranges by ${recipe.weights.method}`,
    };
  },
};

function inputMoments(graph: Graph): { readonly moments: readonly string[] } {
  return { moments: [...new Set(convolutionsOf(graph).map((conv) => conv.inputs[0]!))] };
}

/** E[x^2] of the input channel that each weight multiplies, [O, C/group, KH, KW]. */
function inputPower(graph: Graph, conv: ConvNode, statistics: Statistics): Float32Array {
  const { mean, variance } = statistics.moments.get(conv.inputs[0]!)!;
  const shape = weightOf(graph, conv).shape;
  const [outputs = 1, perGroup = 1, height = 1, width = 1] = shape;
  const taps = height * width;
  const power = new Float32Array(outputs * perGroup * taps);
  for (let i = 0; i < power.length; i++) {
    const oc = Math.floor(i / (perGroup * taps));
    const first = Math.floor(oc / (outputs / conv.group)) * perGroup;
    const ic = first + (Math.floor(i / taps) % perGroup);
    power[i] = variance[ic]! + mean[ic]! ** 2;
  }
  return power;
}
