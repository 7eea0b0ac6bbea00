// SPDX-License-Identifier: Apache-2.0
// Differences of targets on graphs of one layer, run by the interpreter.
import { TargetDiff, type LayerDifference } from '../../src/analyze/index.js';
import type { QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import type { Program } from '../../src/program/program.js';
import { findTarget } from '../../src/targets/index.js';
import type { TargetArithmetic, TargetSpec } from '../../src/targets/target.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

/** A target with one thing changed, under an id of its own. */
export function changed(
  base: string,
  id: string,
  arithmetic: Partial<TargetArithmetic>,
): TargetSpec {
  const spec = findTarget(base);
  return { ...spec, id, arithmetic: { ...spec.arithmetic, ...arithmetic } };
}

export const plain = (rule: 'halfUp' | 'halfAway' | 'halfEven' | 'floor'): TargetSpec =>
  changed('tflm', `${rule}@1`, { code: { kind: 'q31', rule } });

export async function diff(
  graph: QuantGraph,
  targets: readonly TargetSpec[],
  codes: Codes | readonly Codes[],
): Promise<readonly LayerDifference[]> {
  const programs = targets.map((target) => lower(graph, target));
  const open = (program: Program) =>
    Promise.resolve({
      run: (input: Codes) => Promise.resolve(interpret(program, input, { taps: 'all' })),
      close: () => undefined,
    });
  const two = new TargetDiff(programs, open);
  const inputs = Array.isArray(codes) ? (codes as Codes[]) : targets.map(() => codes as Codes);
  await two.compare(inputs);
  if (two.differs) await two.explain(inputs[0]!);
  const result = two.result();
  two.close();
  return result;
}

/** All codes of s8, as 16 x 16 pixels of one channel. */
export const everyCode = Int8Array.from({ length: 256 }, (_, i) => i - 128);
export const image = (name: string, given: Partial<QuantValue> = {}): QuantValue =>
  value(name, [1, 1, 16, 16], given);

export const convGraph = (outputScale: number, given = {}, scales = [1]): QuantGraph =>
  graphOf([image('x'), image('y', { scale: outputScale })], [convNode(1, 1, given, scales)]);

/** The only other target's difference in the only layer. */
export const only = (layers: readonly LayerDifference[]) => layers[1]!.others[0]!;

export const node = (given: object): QuantNode =>
  ({ name: 'op', inputs: ['x'], output: 'y', ...given }) as unknown as QuantNode;
