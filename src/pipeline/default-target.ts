// SPDX-License-Identifier: Apache-2.0
// The target of a quantized model for which none is named: the first of a short list that has a
// form for every layer, so that no command names or takes a target that refuses the file.
import { ModelError } from '../errors.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { tryLower } from '../program/lower.js';
import type { Violations } from '../program/lower/violations.js';
import type { Program } from '../program/program.js';
import { findTarget } from '../targets/index.js';
import type { TargetSpec } from '../targets/target.js';

/** A target and the program of a model under it. */
export interface Accepted {
  readonly target: TargetSpec;
  readonly program: Program;
}

interface Refused {
  readonly target: TargetSpec;
  readonly violations: Violations;
}

/**
 * The first candidate that accepts the model, with the model's program.
 *
 * @param first tried before all others: the target that the file's metadata name
 * @throws ModelError `target-constraint` where none accepts it, with what each of the two nearest
 *   misses, in at most 600 characters
 */
export function firstAccepting(graph: QuantGraph, first: TargetSpec | undefined): Accepted {
  const others = candidateNames(graph).map(findTarget);
  const candidates = first === undefined ? others : [first, ...others.filter((t) => t !== first)];
  const refusals: Refused[] = [];
  for (const target of candidates) {
    const result = tryLower(graph, target);
    if ('ops' in result) return { target, program: result };
    refusals.push({ target, violations: result });
  }
  throw refusedByAll(refusals);
}

/**
 * The runtimes that read files of a kind, the one whose numbers such a file most often stands for
 * first. Others follow for what it leaves out: TFLite Micro and LiteRT's reference kernels have
 * 4-bit weights and 16-bit activations, q31-pc a clamp for each channel.
 */
function candidateNames({ origin, values, input }: QuantGraph): readonly string[] {
  const integerRuntimes = ['tflm', 'tflite-ref', 'q31-pc'];
  switch (origin) {
    case 'qdq':
    case 'qop':
      return ['onnxruntime', ...integerRuntimes];
    case 'tflite':
      return values.get(input)?.dtype === 'u8'
        ? ['tflite-u8', ...integerRuntimes]
        : integerRuntimes;
    case 'lastbit':
      return [...integerRuntimes, 'onnxruntime'];
  }
}

/** Characters for each of the two nearest targets; with the rest of the message at most 600. */
const perTarget = 220;

function refusedByAll(refusals: readonly Refused[]): ModelError {
  const nearest = [...refusals].sort((a, b) => a.violations.count - b.violations.count).slice(0, 2);
  const reasons = nearest.map(
    ({ target, violations }) => `${target.id}: ${violations.brief(perTarget - target.id.length)}`,
  );
  return new ModelError(
    'target-constraint',
    'no default target',
    `${reasons.join('; ')}; name another with --target (lastbit targets), or quantize again`,
  );
}
