// SPDX-License-Identifier: Apache-2.0
import type { QuantConv, QuantGraph, QuantValue } from '../../graph/quant-graph.js';
import { exponentOf } from '../../numeric/multipliers.js';
import type { TargetSpec } from '../../targets/target.js';
import { isLast } from './last.js';
import { imageOf } from './state.js';
import type { Violations } from './violations.js';

const wayOut = 'quantize for this target, or run under the one the model was made for';

/** Records every value and every weight that the target has no form for. */
export function checkConstraints(
  graph: QuantGraph,
  target: TargetSpec,
  violations: Violations,
): void {
  const names = new Set([graph.input, ...graph.nodes.flatMap((n) => [...n.inputs, n.output])]);
  for (const name of names) {
    const value = graph.values.get(name);
    if (value === undefined)
      violations.add('has no quantization; repair the model', `value "${name}"`);
    else if (!isLeftOut(graph, name, target)) checkValue(value, graph, target, violations);
  }
  for (const node of graph.nodes) {
    if (node.op === 'Conv') checkWeight(node, target, violations);
  }
  if (target.constraints.oddWeightAxes === 'refused') checkAxes(graph, violations);
}

/** Whether a value is what a softmax makes, on a target without one. */
function isLeftOut(
  graph: QuantGraph,
  name: string,
  { arithmetic }: Pick<TargetSpec, 'arithmetic'>,
): boolean {
  if (arithmetic.softmax !== undefined) return false;
  const writer = graph.nodes.find((node) => node.output === name);
  if (writer?.op === 'Reshape') return isLeftOut(graph, writer.inputs[0]!, { arithmetic });
  return writer?.op === 'Softmax';
}

function checkValue(
  value: QuantValue,
  graph: QuantGraph,
  { constraints, arithmetic }: TargetSpec,
  violations: Violations,
): void {
  const { dtype, scale, zeroPoint } = value;
  const add = (reason: string): void => {
    violations.add(`${reason}; ${wayOut}`, `value "${value.name}"`);
  };
  const allowed: readonly string[] = [
    ...constraints.activations,
    ...(isLast(graph, value.name, arithmetic.softmax === undefined) ? constraints.wideOutputs : []),
  ];
  if (!allowed.includes(dtype) && !isRetyped(graph, value, constraints)) {
    add(`is ${dtype}, activations must be ${constraints.activations.join(' or ')}`);
  }
  if (!constraints.activationZeroPoint && zeroPoint !== 0) add('has a zero point, which must be 0');
  if (!(scale > 0 && scale < Infinity && Math.fround(scale) === scale)) {
    add(`has scale ${scale}, expected a positive float32`);
  } else if (constraints.scales === 'powerOfTwo' && exponentOf(scale) === undefined) {
    add('has a scale that is no power of two');
  }
  if (imageOf(value) === undefined) add('is not one image, [1, C, H, W] or [1, C]');
}

/** Whether codes of a type that layers cannot have are only changed from and to one they can. */
function isRetyped(
  { nodes, values }: QuantGraph,
  { name, dtype }: QuantValue,
  { retyped, activations }: TargetSpec['constraints'],
): boolean {
  if (dtype !== retyped) return false;
  const users = nodes.filter(({ inputs, output }) => output === name || inputs.includes(name));
  return users.every((node) => {
    const other = values.get(node.output === name ? node.inputs[0]! : node.output);
    const changes = node.op === 'Requantize' && node.clamp === undefined;
    return changes && other !== undefined && activations.some((type) => type === other.dtype);
  });
}

/** Such layers run in TFLite's optimized kernels, whose arithmetic is another profile's. */
function checkAxes({ nodes }: QuantGraph, violations: Violations): void {
  for (const { name } of nodes.filter((node) => node.op === 'Conv' && node.oddWeightAxis)) {
    violations.add(
      'has uint8 weights whose scale belongs to another dimension than 0 in the .tflite file, which ' +
        'XNNPACK leaves to TFLite; run it under tflite-u8, or set their quantized_dimension to 0',
      `node "${name}"`,
    );
  }
}

function checkWeight(
  { name, weight }: QuantConv,
  target: TargetSpec,
  violations: Violations,
): void {
  const { constraints } = target;
  const add = (reason: string, channel?: number): void => {
    const where = channel === undefined ? '' : `, channel ${channel}`;
    violations.add(`${reason}; ${wayOut}`, `node "${name}"${where}`);
  };
  if (!constraints.weights.includes(weight.dtype)) {
    add(`has ${weight.dtype} weights, which must be ${constraints.weights.join(' or ')}`);
  }
  if (!constraints.weightBits.includes(weight.bits)) {
    add(
      `has weights of ${weight.bits} bits, which must have ${constraints.weightBits.join(' or ')}`,
    );
  }
  if (!constraints.perChannelWeights && weight.scales.length > 1) {
    add('has a weight scale per channel, which must be one per tensor');
  }
  const offset = weight.zeroPoints.findIndex((z) => z !== 0);
  if (!constraints.weightZeroPoint && offset >= 0)
    add('has a weight zero point, which must be 0', offset);
  const bad = weight.scales.findIndex((s) => !(s > 0 && s < Infinity));
  if (bad >= 0) add(`has weight scale ${weight.scales[bad]!}, expected a positive float32`, bad);
  else if (constraints.scales === 'powerOfTwo') {
    const uneven = weight.scales.findIndex((s) => exponentOf(s) === undefined);
    if (uneven >= 0) add('has a weight scale that is no power of two', uneven);
  }
}
