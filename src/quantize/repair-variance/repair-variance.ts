// SPDX-License-Identifier: Apache-2.0
// Repair of batch norms without variance. Sheng, Feng, Zhuo, Zhang, Shen and Aleksic 2018, "A
// Quantization- Friendly Separable Convolution for MobileNets", arXiv 1803.08607.
//
// Folding a batch norm multiplies channel c of a convolution by alpha_c = gamma_c / sqrt(v_c +
// epsilon). A channel that was zero on every training image has v_c = 0, so alpha_c = gamma_c /
// sqrt(epsilon): with epsilon = 1e-3 it is 31.6 times gamma_c, and one such channel stretches the
// range of the whole tensor.
//
// Symbols: v_c running variance, beta_c and gamma_c the norm's shift and gain, w_c folded weights
// [C/group, KH, KW], b_c folded bias; all real. C output channels.
//
//   1. Z = {c : v_c <= 1e-9 median(v)}, the channels without variance.
//   2. v' = mean of v_c over the channels that are not in Z.
//   3. For c in Z the norm is folded again with v' in the place of v_c:
//        g_c  = alpha'_c / alpha_c = sqrt((v_c + epsilon) / (v' + epsilon))
//        w_c <- g_c w_c,  b_c <- beta_c + g_c (b_c - beta_c).
//      epsilon follows from what folding kept: alpha_c = gamma_c / sqrt(v_c + epsilon).
//
// On the training images the function is unchanged: there a channel of Z is its beta_c, whatever
// g_c is.
import type { ChannelStatistics, Graph } from '../../graph/graph.js';
import {
  biasOf,
  convolutionsOf,
  weightOf,
  withParameters,
  type ConvChange,
} from '../network/connections.js';

/** A running variance below this share of the layer's median counts as zero. */
const zeroShare = 1e-9;

/** How many channels of which convolutions were repaired. */
export interface VarianceRepair {
  readonly graph: Graph;
  readonly repaired: ReadonlyMap<string, number>;
}

/**
 * Sheng et al. 2018: a channel that was zero for every training image has variance 0, so folding
 * multiplied its weights by gamma / sqrt(epsilon), an outlier that stretches the range of the whole
 * tensor. Such channels get the mean variance of the layer's other channels instead, that is
 * alpha' = gamma / sqrt(mean variance + epsilon); the bias keeps beta and scales the rest.
 */
export function repairVariance(graph: Graph): VarianceRepair {
  const changes = new Map<string, ConvChange>();
  const normalizations = new Map(graph.normalizations);
  const repaired = new Map<string, number>();
  for (const conv of convolutionsOf(graph)) {
    const statistics = graph.normalizations.get(conv.name);
    if (statistics === undefined) continue;
    const gains = repairGains(statistics);
    const count = gains.filter((gain) => gain !== 1).length;
    if (count === 0) continue;
    const weight = weightOf(graph, conv).data;
    const size = weight.length / gains.length;
    changes.set(conv.name, {
      weight: weight.map((w, i) => w * gains[Math.floor(i / size)]!),
      bias: biasOf(graph, conv).map(
        (b, c) => statistics.mean[c]! + (b - statistics.mean[c]!) * gains[c]!,
      ),
    });
    normalizations.set(conv.name, {
      ...statistics,
      alpha: statistics.alpha.map((alpha, c) => alpha * gains[c]!),
    });
    repaired.set(conv.name, count);
  }
  return { graph: { ...withParameters(graph, changes), normalizations }, repaired };
}

/** Which channels of a batch norm never varied: variances that are nothing beside the layer's median. */
export function zeroVariances(variance: Float32Array): boolean[] {
  const median = [...variance].sort((a, b) => a - b)[variance.length >> 1]!;
  return Array.from(variance, (value) => value <= median * zeroShare);
}

/** alpha' / alpha for each channel; 1 where nothing is wrong. */
function repairGains(statistics: ChannelStatistics): Float64Array {
  const { variance, std, alpha } = statistics;
  const isZero = zeroVariances(variance);
  const others = variance.filter((_, c) => !isZero[c]);
  const mean = others.reduce((a, b) => a + b, 0) / Math.max(others.length, 1);
  return Float64Array.from(variance, (value, c) => {
    if (!isZero[c] || others.length === 0 || std[c] === 0 || alpha[c] === 0) return 1;
    // alpha = gamma / sqrt(variance + epsilon) and std = |gamma|.
    const epsilon = Math.max(0, (std[c]! / alpha[c]!) ** 2 - value);
    return Math.sqrt((value + epsilon) / (mean + epsilon));
  });
}
