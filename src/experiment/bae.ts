// SPDX-License-Identifier: Apache-2.0
// Bae, Zielinski and Chatterjee 2022, "A Closer Look at Hardware-Friendly Weight Quantization",
// arXiv 2210.03671: exponents of weights by least squares or by gradient, and what makes each better. The
// paper trains. Here the same quantizers choose the grids of trained nets, and nets that were trained with them
// (models/train/cifar/qat) run in integers. No table of it is public.
import type { Comparison } from './comparison.js';
import type { Claim, ExperimentTable } from './document.js';
import { runOf, type MeasuredNet } from './measured-net.js';
import { directed, paired95, untested } from './statistics.js';
import { accuracyTable } from './tables.js';
import { trainedClaims, type TrainedRun, trainedTable } from './trained-net.js';

type Po2 = Readonly<Record<string, string | boolean | number>>;

const scheme = (name: string, po2: Po2) => ({
  scheme: name,
  target: 'pow2',
  weightBits: 4,
  recipe: { weights: { method: 'po2', po2 } },
});

/** 4-bit weights, one power of two a layer, activations on 8 bits: each quantizer and each improvement. */
export const baeSchemes = [
  scheme('max', { solver: 'max' }),
  scheme('least squares', { solver: 'lsq' }),
  scheme('least squares + search', { solver: 'lsq-search' }),
  scheme('oracle', { solver: 'exhaustive' }),
  scheme('least squares + search, weighted', { solver: 'lsq-search', weighting: 'fisher' }),
  scheme('least squares + search, outliers masked', { solver: 'lsq-search', outlierSigmas: 2 }),
  scheme('gradient, up', { solver: 'gradient', rounding: 'ceil' }),
  scheme('gradient, nearest', { solver: 'gradient', rounding: 'rint' }),
  scheme('gradient, lower error', { solver: 'gradient', rounding: 'msqe' }),
  scheme('gradient, lower error, weighted', {
    ...{ solver: 'gradient', rounding: 'msqe', weighting: 'fisher' },
  }),
  scheme('gradient, lower error, stable', { solver: 'gradient', rounding: 'msqe', stable: true }),
] as const;

export const baeNets = ['separable', 'sheng'] as const;

const comparisons: readonly Comparison[] = [
  {
    id: 'search',
    statement: 'A line search behind the least squares helps',
    better: 'least squares + search',
    worse: 'least squares',
  },
  {
    id: 'weighting-msqe',
    statement: 'Weighting squared errors by second moments helps the least squares',
    better: 'least squares + search, weighted',
    worse: 'least squares + search',
  },
  {
    id: 'outlier-mask',
    statement: 'Leaving outliers out of the squared error helps',
    better: 'least squares + search, outliers masked',
    worse: 'least squares + search',
  },
  {
    id: 'msqe-rounding',
    statement: 'Rounding the learned exponent to the lower squared error beats rounding up',
    better: 'gradient, lower error',
    worse: 'gradient, up',
  },
  {
    id: 'weighting-gradient',
    statement: 'Weighting helps the learned exponent',
    better: 'gradient, lower error, weighted',
    worse: 'gradient, lower error',
  },
  {
    id: 'families',
    statement: 'The improved gradient quantizer beats the plain least squares',
    better: 'gradient, lower error, weighted',
    worse: 'least squares',
  },
];

export function baeResult(
  nets: readonly MeasuredNet[],
  trained: readonly TrainedRun[] = [],
): {
  readonly claims: readonly Claim[];
  readonly tables: readonly ExperimentTable[];
} {
  return {
    claims: [...comparisons.map((one) => compared(nets, one)), ...trainedClaims(trained), imageNet],
    tables: [accuracyTable(nets), ...(trained.length === 0 ? [] : [trainedTable(trained)])],
  };
}

const imageNet = untested(
  {
    id: 'imagenet-gain',
    statement: 'On ImageNet the gradient-based quantizers gain 4.0 points (V1) and 3.3 (V2)',
    measurement: 'top-1 on ImageNet after quantization-aware training',
    unit: 'points',
    statistic: '',
  },
  'ImageNet is not here, and two cores do not train it',
);

/** Averaged over the nets, image by image. */
function compared(
  nets: readonly MeasuredNet[],
  { id, statement, better, worse }: Comparison,
): Claim {
  const words = {
    ...{ id, statement, unit: 'points' },
    measurement: `points of top-1, "${better}" minus "${worse}", 4-bit weights, mean of the nets`,
    statistic: "Student's interval over images, paired",
  };
  const pairs = nets.flatMap((net) => {
    const [a, b] = [runOf(net, better), runOf(net, worse)];
    return a && b ? [a.hits.map((hit, i) => 100 * (hit - b.hits[i]!))] : [];
  });
  const [first] = pairs;
  const means = first?.map((_, i) => pairs.reduce((sum, one) => sum + one[i]!, 0) / pairs.length);
  return directed(words, means && paired95(means), 1, 'no net was quantized in both ways');
}
