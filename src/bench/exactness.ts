// SPDX-License-Identifier: Apache-2.0
// A time counts only if the values are right: what was timed is compared, in the same process,
// with an executor that defines the result.
import type { Codes } from '../numeric/code-types.js';
import type { RunResult } from '../program/executor.js';

/** Something that runs a program with all of its taps. */
export type TappedRun = (codes: Codes) => RunResult;

export interface Exactness {
  /** Values of all layers and outputs of all inputs. */
  readonly compared: number;
  readonly differing: number;
  /** Where the first differing value stands. */
  readonly first?: { readonly tensor: string; readonly element: number };
}

const nothingCompared: Exactness = { compared: 0, differing: 0 };

/** Sums of two comparisons; the first difference found stays. */
export function together(a: Exactness, b: Exactness): Exactness {
  const first = a.first ?? b.first;
  return {
    compared: a.compared + b.compared,
    differing: a.differing + b.differing,
    ...(first === undefined ? {} : { first }),
  };
}

/** Compares every tap and output of the two on every input. */
export function compareRuns(
  subject: TappedRun,
  definition: TappedRun,
  inputs: readonly Codes[],
): Exactness {
  return inputs
    .map((codes) => compareResults(subject(codes), definition(codes)))
    .reduce(together, nothingCompared);
}

function compareResults(subject: RunResult, definition: RunResult): Exactness {
  const parts = [...definition.taps].map(([name, { data }]) =>
    compareCodes(name, subject.taps.get(name)?.data, data),
  );
  const outputs = definition.outputs.map(({ name, data }, i) =>
    compareCodes(name, subject.outputs[i]?.data, data),
  );
  return [...parts, ...outputs, compareTraps(subject, definition)].reduce(
    together,
    nothingCompared,
  );
}

function compareCodes(tensor: string, got: Codes | undefined, expected: Codes): Exactness {
  const compared = expected.length;
  if (got?.length !== expected.length) {
    return { compared, differing: compared, first: { tensor, element: 0 } };
  }
  let differing = 0;
  let element = -1;
  for (let i = 0; i < compared; i += 1) {
    if (got[i] === expected[i]) continue;
    if (differing === 0) element = i;
    differing += 1;
  }
  return { compared, differing, ...(differing > 0 ? { first: { tensor, element } } : {}) };
}

function compareTraps(subject: RunResult, definition: RunResult): Exactness {
  const [a, b] = [subject.trap, definition.trap];
  if (a === undefined && b === undefined) return nothingCompared;
  const same = a?.layer === b?.layer && a?.element === b?.element && a?.value === b?.value;
  if (same) return { compared: 1, differing: 0 };
  const place = (a ?? b)!;
  return {
    compared: 1,
    differing: 1,
    first: { tensor: place.layer, element: place.element },
  };
}
