// SPDX-License-Identifier: Apache-2.0
// Clamps as the fused activations of the schema, which are four.
import type { Clamp } from '../../graph/graph.js';
import type { QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { codeLimits } from '../../numeric/code-types.js';
import { roundNearest } from '../../numeric/round.js';
import type { TfliteWriter } from './state.js';

/** enum ActivationFunctionType, and the operator that is the same on its own. */
export interface Activation {
  readonly code: number;
  readonly op: string;
  readonly bounds: readonly [lo: number, hi: number];
}

const none: Activation = { code: 0, op: 'QUANTIZE', bounds: [-Infinity, Infinity] };
const relu: Activation = { code: 1, op: 'RELU', bounds: [0, Infinity] };
const reluN1To1: Activation = { code: 2, op: 'RELU_N1_TO_1', bounds: [-1, 1] };
const relu6: Activation = { code: 3, op: 'RELU6', bounds: [0, 6] };

/** In the order of preference where several come to the same codes. */
const fused = [none, relu, relu6, reluN1To1];

/**
 * The activation that carries out a layer's clamp on the codes of its output. Where their bounds in
 * real units differ, metadata keep the clamp's. Undefined where there is none, which is reported.
 *
 * @param choices all that a layer may have fused, unless given
 */
export function activationOf(
  writer: TfliteWriter,
  node: QuantNode,
  choices: readonly Activation[] = fused,
): Activation | undefined {
  const clamp = 'clamp' in node ? node.clamp : undefined;
  if (clamp === undefined) return none;
  const output = writer.output(node);
  const exact = choices.find(({ bounds: [lo, hi] }) => isUniform(clamp, lo, hi));
  if (exact !== undefined && exact !== none) return exact;
  const same = choices.find(({ bounds }) => hasSameCodes(clamp, bounds, output));
  if (same !== undefined) {
    writer.clamps.set(node.name, clamp);
    return same;
  }
  writer.fail(node, 'unsupported-clamp', unlikeAny(clamp));
  return undefined;
}

function unlikeAny({ lo, hi }: Clamp): string {
  return Math.max(lo.length, hi.length) > 1
    ? 'it has a clamp for each channel, which .tflite files cannot say; quantize for a target without one (--target tflm, tflite-u8 or xnnpack), or write an .onnx file'
    : `its clamp to [${lo[0]!}, ${hi[0]!}] is none of RELU, RELU6 and RELU_N1_TO_1, all that .tflite files have; write an .onnx file`;
}

/** What stands for a clamp on its own: RELU and its kin, each an operator. */
export const aloneActivations: readonly Activation[] = [
  relu,
  relu6,
  reluN1To1,
  { code: -1, op: 'RELU_0_TO_1', bounds: [0, 1] },
];

function isUniform({ lo, hi }: Clamp, least: number, greatest: number): boolean {
  return lo.length === 1 && hi.length === 1 && lo[0] === least && hi[0] === greatest;
}

function hasSameCodes(
  { lo, hi }: Clamp,
  [least, greatest]: Activation['bounds'],
  value: QuantValue,
): boolean {
  const [first, last] = codeLimits(value.dtype, value.bits);
  // CalculateActivationRangeQuantized of TensorFlow Lite's kernel_util.cc.
  const code = (bound: number): number => {
    const steps = roundNearest(Math.fround(bound / value.scale), 'halfAway');
    return Math.min(Math.max(steps + value.zeroPoint, first), last);
  };
  return (
    lo.every((bound) => code(bound) === code(least)) &&
    hi.every((bound) => code(bound) === code(greatest))
  );
}
