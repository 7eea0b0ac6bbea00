// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { OnnxNode } from '../file/model.js';

/** Thrown by an operator's import: the operator is known, this use of it is not supported. */
export class Unsupported extends Error {}

/** Why one node cannot be imported. */
export interface UnsupportedNode {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  /** Version of the operator set that gives the node its meaning. */
  readonly opset: number;
  /** Stable, for scripts: `unsupported-op`, `missing-weight`, `non-finite-weights`, ... */
  readonly code: string;
  readonly reason: string;
}

/** A node's name in messages: its own, or that of its first output. */
export function nameOf(node: OnnxNode): string {
  return node.name === '' ? (node.outputs[0] ?? node.op) : node.name;
}

/** All problems of a model in one error. */
export function problemsError(problems: readonly UnsupportedNode[]): ModelError {
  const [first] = problems;
  const names = problems.map((problem) => `"${problem.name}"`).join(', ');
  const full = (p: UnsupportedNode) => `"${p.domain === '' ? '' : `${p.domain}::`}${p.op}"`;
  if (problems.length === 1) {
    const detail =
      first!.code === 'unsupported-op'
        ? `expected a supported operator, got ${full(first!)} (opset ${first!.opset}): ${first!.reason}`
        : first!.reason;
    return new ModelError(first!.code, `node ${names}`, detail);
  }
  const list = problems.map((p) => `"${p.name}": ${full(p)} (opset ${p.opset}): ${p.reason}`);
  return new ModelError(
    first!.code,
    `${problems.length} nodes`,
    `expected supported operators, got ${list.join('; ')}`,
  );
}
