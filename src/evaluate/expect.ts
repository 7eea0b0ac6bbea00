// SPDX-License-Identifier: Apache-2.0
// Gates on an accuracy: what has to be reached, and whether these images can say so.
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { readTextFile } from '../limits/read-file.js';
import type { Accuracy } from './tally.js';

/** Images of the whole ImageNet validation set. */
const wholeSet = 50_000;

const expectation = z
  .strictObject({
    name: z.string().min(1).optional(),
    /** Least top-1, percent. */
    top1: z.number().min(0).max(100).optional(),
    /** Greatest loss against the float model, points: the upper end of its 95 % interval counts. */
    drop: z.number().min(-100).max(100).optional(),
    /** Least share of images on which the float model's class is chosen, percent. */
    agreement: z.number().min(0).max(100).optional(),
    $schema: z.string().optional(),
  })
  .refine(
    ({ top1, drop, agreement }) => [top1, drop, agreement].some((bound) => bound !== undefined),
    'expected at least one of "top1", "drop" and "agreement"',
  );

/** What has to hold. */
export type Expectation = z.infer<typeof expectation>;

/** One bound and what was measured. */
interface ExpectedFigure {
  readonly figure: 'top1' | 'drop' | 'agreement';
  readonly bound: number;
  readonly value: number;
  readonly ok: boolean;
  readonly how: string;
}

export interface ExpectResult {
  readonly name: string;
  readonly ok: boolean;
  readonly checks: readonly ExpectedFigure[];
}

/**
 * Sheng et al. 2018: 68.03 % top-1 in 8 bits on the whole validation set, 2.74 points below its float 70.77.
 * A subset is easier or harder than the set, so that only its paired loss can stand for the whole.
 */
const sheng = { name: 'sheng2018', top1: 68.03, drop: 2.74 } as const;

/**
 * `sheng2018`, or a JSON file with "top1", "drop" or "agreement".
 * @throws UsageError `no-such-file`, `bad-expectation`
 */
export function readExpectation(nameOrFile: string): Expectation {
  if (nameOrFile === sheng.name) return { name: sheng.name };
  let json: unknown;
  try {
    json = JSON.parse(readTextFile(nameOrFile, (reason) => bad(nameOrFile, reason)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw bad(nameOrFile, 'it is no JSON');
  }
  const parsed = expectation.safeParse(json);
  if (parsed.success) return { ...parsed.data, name: parsed.data.name ?? nameOrFile };
  const [issue] = parsed.error.issues;
  throw bad(nameOrFile, `${issue!.path.join('.')} ${issue!.message}`.trim());
}

function bad(where: string, detail: string): UsageError {
  return new UsageError(
    'bad-expectation',
    where,
    `${detail}; expected sheng2018, or a JSON file such as { "top1": 68.03, "drop": 1, "agreement": 95 }`,
  );
}

/**
 * Compares an accuracy with what is expected.
 * @throws UsageError `missing-option` where a float model would be needed
 */
export function checkExpectation(expected: Expectation, accuracy: Accuracy): ExpectResult {
  const checks =
    expected.name === sheng.name ? shengChecks(accuracy) : ownChecks(expected, accuracy);
  return { name: expected.name ?? '', ok: checks.every(({ ok }) => ok), checks };
}

function shengChecks(accuracy: Accuracy): ExpectedFigure[] {
  if (accuracy.n >= wholeSet) return [top1Check(sheng.top1, accuracy, 'on the whole set')];
  const how = `upper end of the paired loss, as ${accuracy.n} images are a subset`;
  return [dropCheck(sheng.drop, accuracy, how)];
}

function ownChecks({ top1, drop, agreement }: Expectation, accuracy: Accuracy): ExpectedFigure[] {
  const n = `${accuracy.n} images`;
  return [
    ...(top1 === undefined ? [] : [top1Check(top1, accuracy, n)]),
    ...(drop === undefined
      ? []
      : [dropCheck(drop, accuracy, `upper end of the paired loss, ${n}`)]),
    ...(agreement === undefined ? [] : [agreementCheck(agreement, accuracy, n)]),
  ];
}

function top1Check(bound: number, { top1 }: Accuracy, how: string): ExpectedFigure {
  return { figure: 'top1', bound, value: top1, ok: top1 >= bound, how };
}

function dropCheck(bound: number, { paired }: Accuracy, how: string): ExpectedFigure {
  if (paired === undefined) throw needsFloat('the loss');
  const value = -paired.ci95[0];
  return { figure: 'drop', bound, value, ok: value <= bound, how };
}

function agreementCheck(bound: number, { top1Agreement }: Accuracy, how: string): ExpectedFigure {
  if (top1Agreement === undefined) throw needsFloat('agreement');
  return { figure: 'agreement', bound, value: top1Agreement, ok: top1Agreement >= bound, how };
}

function needsFloat(what: string): UsageError {
  return new UsageError(
    'missing-option',
    '--float',
    `${what} is against the float model on the same images; give --float MODEL.onnx`,
  );
}

/**
 * Refuses, before hours of work, a gate that only a float model can open.
 * @throws UsageError `missing-option`
 */
export function requireNoFloat({ name, drop, agreement }: Expectation, images: number): void {
  if (name === sheng.name && images < wholeSet) throw needsFloat('the loss on a subset');
  if (drop !== undefined) throw needsFloat('the loss');
  if (agreement !== undefined) throw needsFloat('agreement');
}

/** Fewer images than this are called a subset wherever their accuracy is shown. */
export const subsetBelow = 10_000;

/** Points of loss that so many images could tell from none, given how often the two nets part. */
export function detectableDrop({ paired }: Accuracy): number | undefined {
  return paired && (paired.ci95[1] - paired.ci95[0]) / 2;
}
