// SPDX-License-Identifier: Apache-2.0
import type { Histogram } from '../../calibrate/observers/histogram.js';
import type { Graph } from '../../graph/graph.js';
import { quantizationOf, type ActivationScheme, type Quantization } from '../codes/scales.js';
import { sharingWith } from '../network/sharing.js';
import { isFixed } from '../ranges/fixed-quantizations.js';
import { fullRange } from '../ranges/methods.js';

/** Room for unseen images: with 16 bits a coarser step costs nothing, saturation a wrong answer. */
const room = 2;

/**
 * Gives the network's outputs 16 bits, with room to spare on both sides. Outputs of functions into [0, 1]
 * keep their steps, and outputs that share their codes with a value which other layers read keep their width.
 *
 * @param histograms of the outputs
 */
export function widenOutputs(
  graph: Graph,
  activations: ReadonlyMap<string, Quantization>,
  histograms: ReadonlyMap<string, Histogram>,
  scheme: ActivationScheme,
): Map<string, Quantization> {
  const widened = new Map(activations);
  for (const { name } of graph.outputs) {
    const members = sharingWith(graph, name);
    if (members.some((value) => isFixed(graph, value) || !isLast(graph, value))) continue;
    const { min, max } = fullRange(histograms.get(name)!);
    const quantization = quantizationOf({ min: room * min, max: room * max }, 's16', scheme);
    for (const value of members) if (widened.has(value)) widened.set(value, quantization);
  }
  return widened;
}

/** Whether only reshapes stand between a value and the outputs: layers in between have no 16 bits. */
function isLast(graph: Graph, value: string): boolean {
  const readers = graph.nodes.filter(({ inputs }) => inputs.includes(value));
  if (readers.length === 0) return graph.outputs.some(({ name }) => name === value);
  return readers.every(({ op, outputs }) => op === 'Reshape' && isLast(graph, outputs[0]!));
}
