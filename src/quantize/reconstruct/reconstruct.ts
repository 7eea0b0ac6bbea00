// SPDX-License-Identifier: Apache-2.0
// Reconstruction of weights, layer after layer. GPTQ: Frantar, Ashkboos, Hoefler and Alistarh
// 2023, arXiv 2210.17323. Its updates are Babai's nearest plane (Babai 1986, Combinatorica 6) in
// the lattice of H.
//
// Symbols, for one output channel of a layer, n = C/group x KH x KW terms: x, x' [n] the layer's
// inputs in the float and in the quantized network; w [n] the float weights, b the bias; w' = s u
// with u = q - z, q integer codes, s the scale; b' the bias to be chosen. Expectations are over the
// positions of all images, sampled.
//
//   minimize over q, s, b'   E |w' x' + b' - w x - b|^2
//
//   1. The bias makes the means equal, b' = b + E[w x] - E[w' x'] (as far as images agree, below),
//      which leaves
//        (w' - t)^T H (w' - t),   H = Cov[x'] + d I,   d = damping x the mean variance of x',
//        t = w where asymmetry a = 0,
//        else t = H^-1 ((a Cov[x', x] + (1 - a) Cov[x']) w + d w).
//   2. H = R^T R, R upper triangular, inputs in order of rising variance. The objective is
//        sum over j of R_jj^2 (w'_j - t_j + sum over k > j of R_jk / R_jj (w'_k - t_k))^2,
//      so from the last term to the first (Babai, GPTQ):
//        q_j = clip(rint((t_j - sum over k > j of R_jk / R_jj (w'_k - t_k)) / s) + z).
//      No inverse is formed. Up to 10 terms: all 2^n ways of rounding t down or up instead.
//   3. Coordinate descent from there: single codes move where the objective falls; never worse.
//   4. Scales: the best of a few multiples of s by steps 2 and 3 (scaleRatios); per channel then
//      s = t^T H u / u^T H u and descent in turns.
//
// Steps 1 to 4 run in native/solve/, which also has AdaRound's objective (Nagel et al. 2020, arXiv
// 2004.10568). Layers go in the order of the graph, each fed by those already chosen
// (frontier.ts).
//
// The bias (matchedBias). The mean error of the output has two parts,
//   E[w x] - E[w' x'] = (w - w') E[x'] + w (E[x] - E[x']),
// the layer's own rounding, taken whole, and the drift of its inputs, taken as far as the images
// agree on it (means/trusted-mean.ts).
import { gramGeometry, spreadPositions, type Gram } from '../../calibrate/gram.js';
import type { ConvNode, OpenFloatRunner } from '../../graph/graph.js';
import type { QuantWeight } from '../../graph/quant-graph.js';
import type { SampleSource } from '../../graph/samples.js';
import { inputQuantization, quantGraphOf, type Choices } from '../choices/choices.js';
import { biasLimit as usualLimit } from '../codes/bias.js';
import { ceilPowerOfTwo } from '../codes/scales.js';
import { weightLimits, type WeightScheme } from '../codes/weights.js';
import { trustedMean } from '../means/trusted-mean.js';
import { biasOf, convolutionsOf, shapeOf, weightOf } from '../network/connections.js';
import { Frontier } from './frontier.js';
import type { ReconstructSettings } from './settings.js';
import type { RoundedWeights, Solver } from './solver.js';

/** What layers are reconstructed from, and within which bounds. */
export interface ReconstructOptions {
  readonly samples: SampleSource;
  readonly openFloatRunner: OpenFloatRunner;
  readonly solver: Solver;
  readonly schemeOf: (layer: string) => WeightScheme;
  readonly settings: ReconstructSettings;
  /** Maximal magnitude of a bias code, where the target's is less than usual. */
  readonly biasLimit?: number | undefined;
  readonly onLayer?: (done: number, count: number) => void;
}

/** What the search gained in one layer, as in RoundedWeights. */
export interface LayerGain {
  readonly layer: string;
  readonly before: number;
  readonly after: number;
}

/** Values of all images that are kept between passes, bytes. */
const keptBudget = 600e6;

/**
 * Chooses weights (and their scales, where they are free) and biases layer after layer so that each
 * layer, fed by the quantized layers before it, comes as close as it can to what the float network
 * computes at that place.
 *
 * @returns the choices, and by layer the objective's value before and after, in squared real units
 */
export async function reconstruct(
  start: Choices,
  options: ReconstructOptions,
): Promise<{ readonly choices: Choices; readonly gains: readonly LayerGain[] }> {
  const { graph } = start;
  const convolutions = convolutionsOf(graph);
  const frontier = new Frontier(graph, options.samples, options.openFloatRunner, keptBudget);
  const weights = new Map(start.weights);
  const biases = new Map(start.biases);
  const choices: Choices = { ...start, weights, biases };
  const gains: LayerGain[] = [];
  for (const [i, conv] of convolutions.entries()) {
    const gram = await gramOf(choices, conv, frontier, options);
    const rounded = await round(choices, conv, gram, options);
    weights.set(conv.name, withCodes(weights.get(conv.name)!, rounded));
    biases.set(conv.name, matchedBias(choices, conv, gram));
    gains.push({ layer: conv.name, before: rounded.before, after: rounded.after });
    options.onLayer?.(i + 1, convolutions.length);
  }
  return { choices, gains };
}

/** The statistics of a layer's inputs with all layers before it quantized, in real units. */
async function gramOf(
  choices: Choices,
  conv: ConvNode,
  frontier: Frontier,
  { samples, solver, settings }: ReconstructOptions,
): Promise<Gram> {
  const { graph } = choices;
  const [input] = conv.inputs;
  const geometry = gramGeometry(conv, shapeOf(graph, input!), shapeOf(graph, conv.outputs[0]!));
  const sum = solver.openGramSum(geometry, settings.asymmetry > 0);
  const all = geometry.output[0] * geometry.output[1];
  const wanted = Math.ceil(settings.positions / samples.count);
  await frontier.each(quantGraphOf(choices), [input!], ({ real, steps }, image) => {
    sum.add(steps.get(input!)!, real.get(input!)!, spreadPositions(all, wanted, image));
  });
  return inRealUnits(sum.result(), inputQuantization(choices, conv).scale);
}

function inRealUnits(gram: Gram, scale: number): Gram {
  return {
    count: gram.count,
    covariance: gram.covariance.map((value) => value * scale * scale),
    cross: gram.cross.map((value) => value * scale),
    meanQuantized: gram.meanQuantized.map((value) => value * scale),
    imageQuantized: gram.imageQuantized.map((value) => value * scale),
    imageReal: gram.imageReal,
  };
}

async function round(
  choices: Choices,
  conv: ConvNode,
  gram: Gram,
  { solver, settings, schemeOf, biasLimit }: ReconstructOptions,
): Promise<RoundedWeights> {
  const { data, shape } = weightOf(choices.graph, conv);
  const { scales, zeroPoints } = choices.weights.get(conv.name)!;
  const scheme = schemeOf(conv.name);
  const [minCode, maxCode] = weightLimits(scheme);
  const outputs = shape[0]!;
  return solver.roundWeights({
    outputs,
    terms: data.length / outputs,
    groups: conv.group,
    weights: data,
    covariance: gram.covariance,
    cross: blended(gram, settings.asymmetry),
    scales,
    zeroPoints,
    least: minCode,
    greatest: maxCode,
    method: settings.method,
    damping: settings.damping,
    sweeps: settings.sweeps,
    iterations: settings.iterations,
    ratios: settings.scales ? scaleRatios(scheme) : new Float64Array(),
    leastScales: minScales(choices, conv, scheme.powerOfTwo, biasLimit),
    refit: settings.scales && scheme.perChannel && !scheme.powerOfTwo,
  });
}

function blended({ cross, covariance }: Gram, share: number): Float64Array {
  if (share === 0) return new Float64Array();
  return cross.map((value, i) => share * value + (1 - share) * covariance[i]!);
}

/** Scales worth trying: the fewer the bits, the more may be clipped for a finer step. */
function scaleRatios(scheme: WeightScheme): Float64Array {
  if (scheme.powerOfTwo) return Float64Array.of(1, 0.5, 0.25);
  const smallest = scheme.bits >= 8 ? 0.75 : scheme.bits >= 6 ? 0.6 : 0.4;
  const count = scheme.bits >= 8 ? 5 : 11;
  return Float64Array.from({ length: count }, (_, i) => 1 - ((1 - smallest) * i) / (count - 1));
}

/** Below these a bias would not fit its integer; scales that the target has. */
function minScales(
  choices: Choices,
  conv: ConvNode,
  powerOfTwo: boolean,
  biasLimit = usualLimit,
): Float32Array {
  const { scale } = inputQuantization(choices, conv);
  return biasOf(choices.graph, conv).map((bias) => {
    const min = Math.abs(bias) / (biasLimit * scale);
    return powerOfTwo && min > 0 ? ceilPowerOfTwo(min) : min;
  });
}

function withCodes(weight: QuantWeight, { codes, scales }: RoundedWeights): QuantWeight {
  const data = weight.data.slice();
  data.set(codes);
  return { ...weight, data, scales };
}

/**
 * The bias under which the mean of every output is the float network's, as far as the images agree on it
 * (trustedMean).
 */
function matchedBias(choices: Choices, conv: ConvNode, gram: Gram): Float64Array {
  const { data, shape } = weightOf(choices.graph, conv);
  const weight = choices.weights.get(conv.name)!;
  const outputs = shape[0]!;
  const terms = data.length / outputs;
  const inputs = terms * conv.group;
  const images = gram.imageReal.length / inputs;
  const drift = gram.imageReal.map((real, i) => real - gram.imageQuantized[i]!);
  const shifts = new Float64Array(images);
  return Float64Array.from(biasOf(choices.graph, conv), (bias, c) => {
    const group = Math.floor(c / (outputs / conv.group));
    const scale = weight.scales[weight.scales.length === 1 ? 0 : c]!;
    const zeroPoint = weight.zeroPoints[weight.zeroPoints.length === 1 ? 0 : c]!;
    const real = data.subarray(c * terms, (c + 1) * terms);
    let rounding = 0;
    for (let k = 0; k < terms; k++) {
      const code = weight.data[c * terms + k]! - zeroPoint;
      rounding += (real[k]! - scale * code) * gram.meanQuantized[group * terms + k]!;
    }
    for (let image = 0; image < images; image++) {
      const from = image * inputs + group * terms;
      let sum = 0;
      for (let k = 0; k < terms; k++) sum += real[k]! * drift[from + k]!;
      shifts[image] = sum;
    }
    return bias + rounding + trustedMean(shifts);
  });
}
