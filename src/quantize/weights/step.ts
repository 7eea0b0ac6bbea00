// SPDX-License-Identifier: Apache-2.0
import type { Statistics } from '../../calibrate/statistics.js';
import type { ConvNode, Graph } from '../../graph/graph.js';
import type { QuantWeight } from '../../graph/quant-graph.js';
import { inputQuantization } from '../choices/choices.js';
import { fitBias } from '../codes/bias.js';
import { quantizeWeights, type WeightGrid, type WeightScheme } from '../codes/weights.js';
import { biasOf, convolutionsOf, weightOf } from '../network/connections.js';
import { valueCosts } from '../noise/value-costs.js';
import { choosePo2Grid, secondMoments, type Po2Diagnostics } from '../po2/index.js';
import { recipeStep, type LayerFigures } from '../schedule/step.js';
import { chooseWeightGrid } from './choose-grid.js';
import { weightsEntry, type WeightSettings } from './settings.js';

/** Grids of all weights, each weight rounded to the nearest code, and real biases; always on. */
export const weightsStep = recipeStep(weightsEntry, {
  name: 'weights',
  needs: ({ graph }, { method, po2 }) => {
    if (method === 'mse') return inputMoments(graph);
    if (method !== 'po2' || po2.weighting === 'none') return {};
    const active = graph.nodes.flatMap((node) => ('clamp' in node ? node.outputs : []));
    return po2.weighting === 'fisher' ? { ...inputMoments(graph), active } : inputMoments(graph);
  },
  apply: (state, statistics, settings, { constraints, scheme, schemeOf }) => {
    const { graph } = state;
    const weights = new Map<string, QuantWeight>();
    const biases = new Map<string, Float64Array>();
    const raised = new Map(state.raised);
    const layers: LayerFigures[] = [];
    for (const conv of convolutionsOf(graph)) {
      const { data, shape } = weightOf(graph, conv);
      const bias = biasOf(graph, conv);
      const own = schemeOf(conv.name);
      const { grid: chosen, diagnostics } = gridOf(graph, conv, own, settings, statistics);
      if (diagnostics !== undefined) layers.push({ layer: conv.name, ...diagnostics });
      const { scale } = inputQuantization(state, conv);
      const fitted = fitBias(chosen, bias, scale, own.powerOfTwo, constraints.biasLimit);
      if (fitted.raised > 0) raised.set(conv.name, fitted.raised);
      weights.set(conv.name, quantizeWeights(data, shape, own, fitted.grid));
      biases.set(conv.name, Float64Array.from(bias));
    }
    const per = scheme.perChannel ? 'channel' : 'tensor';
    return {
      state: { weights, biases, raised },
      changed: `${weights.size} layers, ${scheme.bits} bits, per ${per}, ${how(settings)}`,
      ...(layers.length === 0 ? {} : { layers }),
    };
  },
});

function how({ method, po2 }: WeightSettings): string {
  if (method !== 'po2') return `ranges by ${method}`;
  const weighting = po2.weighting === 'none' ? '' : `, weighted by ${po2.weighting}`;
  return `powers of two by ${po2.solver}${weighting}`;
}

function gridOf(
  graph: Graph,
  conv: ConvNode,
  scheme: WeightScheme,
  { method, po2 }: WeightSettings,
  statistics: Statistics,
): { readonly grid: WeightGrid; readonly diagnostics?: Po2Diagnostics } {
  const { data, shape } = weightOf(graph, conv);
  if (method === 'po2') {
    const costs = po2.weighting === 'fisher' ? costOf(graph, conv, statistics) : undefined;
    const importance =
      po2.weighting === 'none' ? undefined : secondMoments(graph, conv, statistics, costs);
    return choosePo2Grid(data, shape[0]!, scheme, po2, importance);
  }
  const importance = method === 'mse' ? inputPower(graph, conv, statistics) : undefined;
  return { grid: chooseWeightGrid(data, shape[0]!, scheme, method, importance) };
}

/** What noise of each output channel costs before the layer's clamp; none where nothing reads it. */
function costOf(graph: Graph, conv: ConvNode, { active }: Statistics): Float64Array | undefined {
  const output = conv.outputs[0]!;
  const share = active.get(output);
  return valueCosts(graph, active)
    .get(output)
    ?.map((cost, c) => cost * (share?.[c] ?? 1));
}

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
