// SPDX-License-Identifier: Apache-2.0
// What noise costs at the network's output, carried backwards.
//
// Symbols: C_x[c] the cost of channel c of value x: the variance that noise of variance 1,
// independent from position to position, adds to the output, per position of x up to a factor that
// all channels share; W [O, I/group, KH, KW]; a[c] the share of values that a clamp lets pass.
//
//   1. C = 1 for every channel of an output.
//   2. Backwards through a clamp:         C_before[c] = a[c] C_after[c]
//      through a convolution:             C_in[i]  = sum over o of C_before[o] sum over taps of W_oi^2
//      through an average of n values:    C_in[c]  = C_out[c] / n, or C_out[c] for
//                                        noise that is the same at all positions
//      through a sum, a product, a move:  C_in[c]  = C_out[c]
//   3. A value that several operators read adds their costs up.
//
// Rounding errors of different layers count as independent, so costs add; covariances are left
// out.
import type { ConvNode, Graph, Node } from '../../graph/graph.js';
import { connectionsOf, shapeOf, weightOf } from '../network/connections.js';
import { inputChannels } from '../network/input-channels.js';
import { weightPairs } from './weight-pairs.js';

/**
 * What noise of each channel of each value costs at the network's output, where each channel costs
 * 1. Walks backwards.
 *
 * @param active as for `noiseModel`; values that it leaves out count as passed entirely
 * @param noise `independent` from position to position, so that averages take it away, or the same everywhere
 */
export function valueCosts(
  graph: Graph,
  active: ReadonlyMap<string, Float64Array>,
  noise: 'independent' | 'coherent' = 'independent',
): Map<string, Float64Array> {
  const { producers } = connectionsOf(graph);
  const costs = new Map<string, Float64Array>();
  const add = (value: string, cost: (c: number) => number): void => {
    if (graph.constants.has(value) || value === '') return;
    const sum = costs.get(value) ?? new Float64Array(shapeOf(graph, value)[1] ?? 1);
    costs.set(
      value,
      sum.map((old, c) => old + cost(c)),
    );
  };
  for (const { name } of graph.outputs) add(name, () => 1);
  for (const node of [...graph.nodes].reverse()) {
    const output = costs.get(node.outputs[0]!);
    if (output === undefined) continue;
    const passed = 'clamp' in node ? throughClamp(output, active.get(node.outputs[0]!)) : output;
    if (node.op === 'Conv') {
      const gathered = gather(graph, node, passed);
      add(node.inputs[0]!, (c) => gathered[c]!);
    } else {
      const share = noise === 'coherent' ? 1 : averaging(graph, node);
      for (const input of node.inputs) {
        const channels = graph.shapes.get(input)?.[1];
        if (channels === undefined || (channels !== passed.length && producers.has(input)))
          continue;
        add(input, (c) => passed[c]! * share);
      }
    }
  }
  return costs;
}

/** Independent noise shrinks where values are averaged. */
function averaging(graph: Graph, node: Node): number {
  if (node.op === 'AveragePool') return 1 / (node.kernel[0] * node.kernel[1]);
  if (node.op !== 'GlobalAveragePool') return 1;
  const [, , height = 1, width = 1] = shapeOf(graph, node.inputs[0]!);
  return 1 / (height * width);
}

function gather(graph: Graph, conv: ConvNode, cost: Float64Array): Float64Array {
  const { energy, inputs, outputs, perGroup } = weightPairs(graph, conv);
  const { shape } = weightOf(graph, conv);
  const sum = new Float64Array(inputs);
  for (let oc = 0; oc < outputs; oc++) {
    const { first } = inputChannels(conv, shape, oc);
    for (let i = 0; i < perGroup; i++) sum[first + i]! += energy[oc * perGroup + i]! * cost[oc]!;
  }
  return sum;
}

/** Costs before a clamp, from those after it and the share of values that it lets pass, [C]. */
export function throughClamp(cost: Float64Array, active: Float64Array | undefined): Float64Array {
  return active === undefined ? cost : cost.map((value, c) => value * active[c]!);
}
