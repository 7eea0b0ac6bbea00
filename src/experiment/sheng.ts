// SPDX-License-Identifier: Apache-2.0
// Sheng et al. 2018, "A Quantization-Friendly Separable Convolution for MobileNets", arXiv 1803.08607:
// the ladder from MobileNetV1 to the changed block. On ImageNet the paper has, float / 8 bits: original
// 70.50 / 1.80; variances repaired 70.50 / 45.73; no norm and activation inside the block 70.55 / 61.50;
// ReLU for ReLU6 70.80 / 67.80; L2 on depthwise weights 70.77 / 68.03.
import { tableOf, type Claim, type ExperimentTable } from './document.js';
import { changes, relativeDrop, runOf, type MeasuredNet } from './measured-net.js';
import { directed, paired95, reaching, untested } from './statistics.js';
import { accuracyTable, errorTable, layerTable } from './tables.js';

/** Schemes: the paper's 8 bits, as they are and with repaired variances; and 4 bits, where small nets part. */
export const shengSchemes = [
  { scheme: '8 bits', target: 'sheng2018', weightBits: 8 },
  {
    scheme: '8 bits repaired',
    target: 'sheng2018',
    weightBits: 8,
    recipe: { repairVariance: true },
  },
  { scheme: '8 bits best', target: 'sheng2018', weightBits: 8, recipe: 'best' },
  { scheme: '4 bits', target: 'tflm', weightBits: 4 },
] as const;

/** Rungs of the ladder in the paper's order. */
export const shengNets = ['separable', 'sheng_inner', 'sheng_inner_relu', 'sheng'] as const;

/** What each rung changes beyond the one before. */
const rungs: Readonly<Record<string, string>> = {
  separable: 'original block',
  sheng_inner: 'no batch norm and no activation between depthwise and pointwise',
  sheng_inner_relu: 'and ReLU for ReLU6',
  sheng: 'and L2 on depthwise weights',
};

export function shengResult(nets: readonly MeasuredNet[]): {
  readonly claims: readonly Claim[];
  readonly tables: readonly ExperimentTable[];
} {
  const [first] = nets;
  const last = nets.length > 1 ? nets.at(-1) : undefined;
  return {
    claims: [
      collapse(first),
      repairs(first),
      ...['8 bits', '4 bits'].map((scheme) => gain(first, last, scheme)),
      ...steps(nets),
    ],
    tables: [ladder(nets), accuracyTable(nets), outliers(nets), layerTable(nets), errorTable(nets)],
  };
}

function ladder(nets: readonly MeasuredNet[]): ExperimentTable {
  const rows = nets.map((net) => {
    const top1 = (scheme: string) => runOf(net, scheme)?.accuracy.top1;
    return {
      net: net.name,
      change: rungs[net.name] ?? '',
      'float %': net.runs[0]?.accuracy.float?.top1,
      ...Object.fromEntries(shengSchemes.map(({ scheme }) => [`${scheme} %`, top1(scheme)])),
    };
  });
  return tableOf('ladder', 'The ladder, top-1', rows);
}

function outliers(nets: readonly MeasuredNet[]): ExperimentTable {
  const rows = nets.flatMap((net) =>
    net.layers
      .filter(({ normalization }) => normalization !== undefined)
      .map(({ name, kind, channels, normalization }) => ({
        net: net.name,
        layer: name,
        kind,
        channels,
        'channels without variance': normalization!.zeroVariance,
        'largest alpha / median': normalization!.largestAlpha,
      })),
  );
  return tableOf('alphas', 'Batch-norm factors', rows);
}

const perImage = "Student's interval over images, paired";

function collapse(net: MeasuredNet | undefined): Claim {
  const words = {
    id: 'collapse',
    statement: 'The original block loses nearly everything in 8 bits (paper: 70.50 to 1.80)',
    measurement: 'relative drop of top-1, original block, 8 bits',
    unit: '%',
    statistic: 'one net; shown from half of the accuracy on',
  };
  const run = runOf(net, '8 bits');
  if (net === undefined || run === undefined)
    return untested(words, 'no net of the original block');
  const drop = relativeDrop(run);
  const dead = net.layers.reduce(
    (sum, { normalization }) => sum + (normalization?.zeroVariance ?? 0),
    0,
  );
  return reaching(words, drop, drop >= 50, `${dead} channels without variance in this net`);
}

function repairs(net: MeasuredNet | undefined): Claim {
  const words = {
    id: 'variance-repair',
    statement:
      'Repairing variances of dead channels alone wins most of it back (paper: 1.80 to 45.73)',
    measurement: 'points of top-1, repaired minus not repaired, original block, 8 bits',
    unit: 'points',
    statistic: perImage,
  };
  const [before, after] = [runOf(net, '8 bits'), runOf(net, '8 bits repaired')];
  const estimate =
    before && after && paired95(after.hits.map((hit, i) => 100 * (hit - before.hits[i]!)));
  return directed(words, estimate, 1, 'no net of the original block');
}

/** Loss of one net beyond another's, image by image. */
function lossBeyond(a: MeasuredNet | undefined, b: MeasuredNet | undefined, scheme: string) {
  const [one, other] = [runOf(a, scheme), runOf(b, scheme)];
  if (one === undefined || other === undefined) return undefined;
  const [x, y] = [changes(one), changes(other)];
  return paired95(x.map((change, i) => y[i]! - change));
}

function gain(
  first: MeasuredNet | undefined,
  last: MeasuredNet | undefined,
  scheme: string,
): Claim {
  const words = {
    id: `changed-block-${scheme.replace(' ', '-')}`,
    statement: `With ${scheme} the changed block loses less than the original one`,
    measurement: `points that ${first?.name ?? 'the original'} loses beyond ${last?.name ?? 'the changed net'}`,
    unit: 'points',
    statistic: perImage,
  };
  return directed(words, lossBeyond(first, last, scheme), 1, 'it takes nets of both blocks');
}

/** Each change by itself, from rung to rung, where 4 bits make it visible. */
function steps(nets: readonly MeasuredNet[]): Claim[] {
  if (nets.length < 3) return [];
  return nets.slice(1).map((net, i) => {
    const before = nets[i]!;
    const words = {
      id: `step-${net.name.replaceAll('_', '-')}`,
      statement: `${rungs[net.name] ?? net.name} lowers the loss (4 bits)`,
      measurement: `points that ${before.name} loses beyond ${net.name}`,
      unit: 'points',
      statistic: perImage,
    };
    return directed(words, lossBeyond(before, net, '4 bits'), 1, 'not measured');
  });
}
