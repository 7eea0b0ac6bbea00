// SPDX-License-Identifier: Apache-2.0
// Nets whose quantizers were trained (models/train/cifar/qat), and what the integers make of them.
import { z } from 'zod';

import { ModelError } from '../errors.js';
import { type Claim, type ExperimentTable, tableOf } from './document.js';
import type { Comparison } from './comparison.js';
import { directed, paired95, reaching, untested } from './statistics.js';

const reportSchema = z.object({
  file: z.string(),
  sha256: z.string(),
  net: z.string(),
  method: z.object({ name: z.string() }),
  weightBits: z.int(),
  settings: z.object({ seed: z.int() }),
  flips: z.int(),
  top1: z.object({ untrained: z.number(), all10000: z.number() }),
  /** Class that PyTorch answers for each test image, one digit each, in the order of class and file name. */
  answers: z.string().regex(/^\d+$/),
});

/** What a training wrote beside its net. */
export type TrainingReport = z.output<typeof reportSchema>;

/** @throws ModelError `bad-report` */
export function parseTrainingReport(text: string, file: string): TrainingReport {
  try {
    return reportSchema.parse(JSON.parse(text));
  } catch {
    throw new ModelError(
      'bad-report',
      file,
      'expected what models/train/cifar/qat/train.py writes; make it again by that script',
    );
  }
}

/** A trained net run in exact integers. */
export interface TrainedRun {
  readonly net: string;
  readonly method: string;
  readonly weightBits: number;
  readonly seed: number;
  /** Changes of all exponents during training. */
  readonly flips: number;
  /** Top-1 percent of PyTorch's fake quantization, before and after training; all test images. */
  readonly untrainedTop1: number;
  readonly pytorchTop1: number;
  /** By image: 1 where the integers are right, and where their answer is not PyTorch's. */
  readonly hits: readonly number[];
  readonly differing: readonly number[];
}

const comparisons: readonly Comparison[] = [
  {
    id: 'trained-gradient',
    statement: 'In training the improved gradient quantizer beats the plain one (+4.0 points, V1)',
    better: 'gradient_improved',
    worse: 'gradient',
  },
  {
    id: 'trained-msqe',
    statement: 'In training the improved least squares beat the plain ones',
    better: 'msqe_improved',
    worse: 'msqe',
  },
  {
    id: 'trained-families',
    statement: 'In training the improved gradient quantizer beats the plain least squares',
    better: 'gradient_improved',
    worse: 'msqe',
  },
];

export function trainedClaims(runs: readonly TrainedRun[]): readonly Claim[] {
  return [...comparisons.map((one) => compared(runs, one)), exactClaim(runs), flipsClaim(runs)];
}

const top1 = (values: readonly number[]): number =>
  (100 * values.reduce((sum, value) => sum + value, 0)) / values.length;

/** By width and seed, so that luck of a training is in the interval. */
function compared(
  runs: readonly TrainedRun[],
  { id, statement, better, worse }: Comparison,
): Claim {
  const differences = runs
    .filter(({ method }) => method === better)
    .flatMap((run) => {
      const other = twin(runs, run, worse);
      return other === undefined ? [] : [top1(run.hits) - top1(other.hits)];
    });
  const words = {
    ...{ id, statement, unit: 'points' },
    measurement: `points of top-1 in exact integers after training, "${better}" minus "${worse}"`,
    statistic: `Student's interval over ${differences.length} pairs of trainings (net, width, seed)`,
  };
  return directed(
    words,
    paired95(differences),
    1,
    'fewer than two pairs of trained nets are there',
  );
}

/** The run of another method with all else equal. */
function twin(
  runs: readonly TrainedRun[],
  { net, weightBits, seed }: TrainedRun,
  method: string,
): TrainedRun | undefined {
  return runs.find(
    (run) =>
      run.method === method &&
      run.net === net &&
      run.weightBits === weightBits &&
      run.seed === seed,
  );
}

function exactClaim(runs: readonly TrainedRun[]): Claim {
  const words = {
    id: 'trained-exact',
    statement: "Fake quantization in training is what the integers compute (ours, not the paper's)",
    measurement: 'answers of PyTorch that the integers do not give, all nets and images',
    unit: 'answers',
    statistic: 'count',
  };
  if (runs.length === 0) return untested(words, 'no trained net is there');
  const count = runs.reduce((sum, { differing }) => sum + differing.reduce((a, b) => a + b, 0), 0);
  const answers = runs.reduce((sum, { differing }) => sum + differing.length, 0);
  return reaching(words, count, count === 0, `of ${answers}`);
}

function flipsClaim(runs: readonly TrainedRun[]): Claim {
  const words = {
    id: 'trained-stability',
    statement: 'The exponent of plain least squares is unstable in training',
    measurement: 'changes of exponents in a training, mean of the trainings with "msqe"',
    unit: 'changes',
    statistic: 'mean',
  };
  const plain = runs.filter(({ method }) => method === 'msqe').map(({ flips }) => flips);
  if (plain.length === 0) return untested(words, 'no trained net is there');
  const mean = plain.reduce((a, b) => a + b, 0) / plain.length;
  return reaching(words, mean, mean > 0, `of ${plain.length} trainings of two epochs`);
}

export function trainedTable(runs: readonly TrainedRun[]): ExperimentTable {
  const rows = runs.map((run) => ({
    net: run.net,
    method: run.method,
    'weight bits': run.weightBits,
    seed: run.seed,
    'before training %': run.untrainedTop1,
    'PyTorch top-1 %, all images': run.pytorchTop1,
    images: run.hits.length,
    'integer top-1 %': Number(top1(run.hits).toFixed(2)),
    'answers unlike PyTorch': run.differing.reduce((a, b) => a + b, 0),
    'exponent changes': run.flips,
  }));
  return tableOf('trained', 'Quantizers trained with the net, one power of two a layer', rows);
}
