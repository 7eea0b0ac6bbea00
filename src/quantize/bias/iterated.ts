// SPDX-License-Identifier: Apache-2.0
// Iterated bias correction: the means of the quantized network as a whole, after Nagel et al. 2019
// (arXiv 1906.04721, empirical bias correction), for all layers at once.
//
// Symbols, by layer and output channel: m the mean before the clamp in the float network, m' in
// the quantized one (choices/simulate.ts), e = m' - m as far as the images agree
// (means/trusted-mean.ts); a the share of values that the clamp lets pass; W the float weights,
// summed over taps; d_x how the means of value x will move.
//
//   Three times:
//   1. Measure e of all layers in one pass over the images.
//   2. Forwards through the network, d = 0 at the input:
//        a layer's own part of its error:   e + W d_in      b <- b - (e + W d_in)
//        once corrected, its output moves:  d_out = -a e
//        through sums d adds up; averages, pads and reshapes hand it on.
//
// A layer's mean is wrong by its own error and by what comes from before, and the latter goes away
// once the layers before are put right. This is one Newton step for m' = m with a as the clamp's
// slope.
import type { ConvNode, Graph, Node, OpenFloatRunner } from '../../graph/graph.js';
import type { SampleSource } from '../../graph/samples.js';
import { biasResidues, quantGraphOf, type Choices } from '../choices/choices.js';
import { accumulatorOf, simulate } from '../choices/simulate.js';
import { imageMeans } from '../means/image-means.js';
import { trustedMean } from '../means/trusted-mean.js';
import { convolutionsOf, shapeOf, weightOf } from '../network/connections.js';
import { inputChannels } from '../network/input-channels.js';
import { exposePreActivations, preActivationOf } from '../network/pre-activations.js';

type Biases = ReadonlyMap<string, Float64Array>;

/** Passes over the samples; each leaves about a tenth of the error. */
const passes = 3;

/**
 * Moves biases so that the mean of every channel before its clamp equals the float network's, with
 * all layers quantized. Unlike the analytic form it also makes good what clipping, rounding and
 * ReLU do to the means on the way.
 *
 * All layers are measured in one pass. A layer's mean is wrong by its own error and by what comes
 * from before; the latter goes away once the layers before are put right, so a layer's bias takes
 * only the rest (one Newton step, with the share of values that a clamp lets pass as its slope). Only
 * what the samples agree on counts (trustedMean).
 *
 * @param active share of values strictly inside their clamp, by value and channel
 * @param onPass called after each of `count` passes
 */
export async function correctBiasIterated(
  choices: Choices,
  active: ReadonlyMap<string, Float64Array>,
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
  onPass?: (done: number, count: number) => void,
): Promise<Biases> {
  const convolutions = convolutionsOf(choices.graph);
  const expected = await imageMeans(
    exposePreActivations(choices.graph),
    convolutions.map(preActivationOf),
    samples,
    openFloatRunner,
  );
  let biases: Biases = choices.biases;
  for (let pass = 0; pass < passes; pass++) {
    const simulated = simulate(quantGraphOf({ ...choices, biases }));
    const values = convolutions.map((conv) => accumulatorOf(conv.name));
    const means = await imageMeans(simulated, values, samples, openFloatRunner);
    const errors = new Map(
      convolutions.map((conv) => {
        const { scale } = choices.activations.get(conv.outputs[0]!)!;
        const wanted = expected.get(preActivationOf(conv))!;
        const steps = means.get(accumulatorOf(conv.name))!;
        // What rounding to the target's biases adds stays, whatever the bias: it is no error of it.
        const residues = biasResidues({ ...choices, biases }, conv);
        const error = residues.map((residue, c) =>
          trustedMean(
            Float64Array.from(wanted, (image, i) => steps[i]![c]! * scale - image[c]! - residue),
          ),
        );
        return [conv.name, error];
      }),
    );
    biases = ownCorrections(choices.graph, biases, errors, active);
    onPass?.(pass + 1, passes);
  }
  return biases;
}

/** Biases less each layer's own part of its error. */
function ownCorrections(
  graph: Graph,
  biases: Biases,
  errors: ReadonlyMap<string, Float64Array>,
  active: ReadonlyMap<string, Float64Array>,
): Biases {
  const corrected = new Map(biases);
  // How the means of each value will move once everything before it is corrected.
  const moves = new Map<string, Float64Array>();
  for (const node of graph.nodes) {
    const output = node.outputs[0]!;
    const incoming = node.inputs.map((input) => moves.get(input));
    if (node.op === 'Conv') {
      const error = errors.get(node.name)!;
      const fromBefore =
        incoming[0] === undefined ? undefined : meanResponse(graph, node, incoming[0]);
      corrected.set(
        node.name,
        biases.get(node.name)!.map((bias, c) => bias - error[c]! - (fromBefore?.[c] ?? 0)),
      );
      const share = active.get(output);
      moves.set(
        output,
        error.map((value, c) => -value * (share?.[c] ?? 1)),
      );
    } else {
      const move = moveThrough(graph, node, incoming, active.get(output));
      if (move !== undefined) moves.set(output, move);
    }
  }
  return corrected;
}

/** How the means behind an operator without weights move, to first order; undefined where that is not known. */
function moveThrough(
  graph: Graph,
  node: Exclude<Node, ConvNode>,
  incoming: readonly (Float64Array | undefined)[],
  share: Float64Array | undefined,
): Float64Array | undefined {
  switch (node.op) {
    case 'Add':
      return addMoves(incoming)?.map((value, c) => value * (share?.[c] ?? 1));
    case 'Concat':
      return joinMoves(graph, node.inputs, incoming);
    case 'GlobalAveragePool':
    case 'AveragePool':
    case 'MaxPool':
    case 'Pad':
    case 'Resize':
      return incoming[0];
    case 'Reshape':
      return reshapeMove(incoming[0], node.shape[1] ?? 1);
    case 'BatchNorm':
    case 'Clamp':
    case 'Div':
    case 'Gemm':
    case 'HardSigmoid':
    case 'HardSwish':
    case 'Identity':
    case 'MatMul':
    case 'Mul':
    case 'ReduceMean':
    case 'Sigmoid':
    case 'Gelu':
    case 'Softmax':
    case 'Sub':
    case 'Transpose':
      return undefined;
    default:
      return node satisfies never;
  }
}

/** Parts of which nothing is known stay. */
function joinMoves(
  graph: Graph,
  names: readonly string[],
  incoming: readonly (Float64Array | undefined)[],
): Float64Array | undefined {
  if (incoming.every((move) => move === undefined)) return undefined;
  const parts = names.map(
    (name, i) => incoming[i] ?? new Float64Array(shapeOf(graph, name)[1] ?? 1),
  );
  return Float64Array.from(parts.flatMap((part) => [...part]));
}

/** Flattened channels become runs of equal means. */
function reshapeMove(move: Float64Array | undefined, channels: number): Float64Array | undefined {
  const run = channels / (move?.length ?? 1);
  if (move === undefined || !Number.isInteger(run)) return undefined;
  return Float64Array.from({ length: channels }, (_, c) => move[Math.floor(c / run)]!);
}

function addMoves(moves: readonly (Float64Array | undefined)[]): Float64Array | undefined {
  const known = moves.filter((move) => move !== undefined);
  if (known.length === 0) return undefined;
  return known.reduce((a, b) => a.map((value, c) => value + b[c]!));
}

/** What a change of the input channels' means does to the output channels' means. */
function meanResponse(graph: Graph, conv: ConvNode, move: Float64Array): Float64Array {
  const { data, shape } = weightOf(graph, conv);
  const [outputs = 1, perGroup = 1, height = 1, width = 1] = shape;
  const taps = height * width;
  const response = new Float64Array(outputs);
  for (let i = 0; i < data.length; i++) {
    const oc = Math.floor(i / (perGroup * taps));
    const ic = inputChannels(conv, shape, oc).first + (Math.floor(i / taps) % perGroup);
    response[oc]! += data[i]! * move[ic]!;
  }
  return response;
}
