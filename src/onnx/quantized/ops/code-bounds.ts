// SPDX-License-Identifier: Apache-2.0
// Bounds on an activation's codes, between its QuantizeLinear and DequantizeLinear: how exporters say
// that codes have fewer bits than their type.
import { mergeClamps } from '../../../graph/clamps.js';
import type { Clamp } from '../../../graph/graph.js';
import type { QuantValue } from '../../../graph/quant-graph.js';
import { codeLimits } from '../../../numeric/code-types.js';
import type { OnnxNode } from '../../file/model.js';
import type { ImportState } from '../state.js';

/**
 * The value that input `index` of `node` becomes within bounds: with fewer bits where these are the
 * bounds, with a clamp of its layer where they are narrower still. A value that others read without
 * these bounds stays as it is, and a layer of its own makes the bounded one.
 *
 * @param bounds of the codes; undefined for none
 */
export function boundCodes(
  state: ImportState,
  node: OnnxNode,
  index: number,
  bounds: Clamp | undefined,
): QuantValue {
  const known = state.get(node, index);
  const value = state.value(known.kind === 'codes' ? known.value : state.input);
  if (bounds === undefined) return value;
  const [min, max] = codeLimits(value.dtype, value.bits);
  const [least, greatest] = [Math.min(...bounds.lo), Math.max(...bounds.hi)];
  const bits = bitsFor(value, Math.max(least, min), Math.min(greatest, max));
  const [lowest, highest] = codeLimits(value.dtype, bits);
  const isOpen = bounds.lo.every((lo) => lo <= lowest) && bounds.hi.every((hi) => hi >= highest);
  if (isOpen && bits === value.bits) return value;
  const real = (code: number) => value.scale * (code - value.zeroPoint);
  const clamp = isOpen ? undefined : { lo: bounds.lo.map(real), hi: bounds.hi.map(real) };
  return (
    narrowInPlace(state, node.inputs[index]!, value, bits, clamp) ??
    narrowBehind(state, node, value, bits, clamp)
  );
}

/** The least bits whose codes include all of [lo, hi]; those of the value where that is empty. */
function bitsFor({ dtype, bits }: QuantValue, lo: number, hi: number): number {
  for (let fewer = 2; lo <= hi && fewer < bits; fewer++) {
    const [min, max] = codeLimits(dtype, fewer);
    if (min <= lo && hi <= max) return fewer;
  }
  return bits;
}

function narrowInPlace(
  state: ImportState,
  codes: string,
  value: QuantValue,
  bits: number,
  clamp: Clamp | undefined,
): QuantValue | undefined {
  const at = state.nodes.findIndex(({ output }) => output === value.name);
  const layer = state.nodes[at];
  if (layer === undefined || !bounded.has(layer.op) || !state.isOnlyReader(codes)) return undefined;
  if (state.nodes.some(({ inputs }) => inputs.includes(value.name))) return undefined;
  const before = 'clamp' in layer ? layer.clamp : undefined;
  const both = before && clamp ? mergeClamps(before, clamp) : (clamp ?? before);
  if (both !== undefined) state.nodes[at] = { ...layer, clamp: both } as typeof layer;
  return state.narrow({ ...value, bits });
}

/** Layers that saturate at the bits of what they make, and at a clamp. */
const bounded: ReadonlySet<string> = new Set([
  'Add',
  'AveragePool',
  'Conv',
  'HardSigmoid',
  'HardSwish',
  'MaxPool',
  'Mul',
  'Requantize',
  'Sigmoid',
]);

function narrowBehind(
  state: ImportState,
  node: OnnxNode,
  value: QuantValue,
  bits: number,
  clamp: Clamp | undefined,
): QuantValue {
  const output = state.addValue({ ...value, name: node.outputs[0]!, bits });
  state.add({
    op: 'Requantize',
    name: state.layerName(node),
    inputs: [value.name],
    output: output.name,
    ...(clamp === undefined ? {} : { clamp }),
  });
  return output;
}
