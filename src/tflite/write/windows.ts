// SPDX-License-Identifier: Apache-2.0
// Padding, of which the schema has two kinds; any other becomes a PAD before the layer.
import type { Pads } from '../../graph/graph.js';
import type { QuantConv, QuantPool, QuantValue } from '../../graph/quant-graph.js';
import { samePadding } from '../../graph/window.js';
import { codeLimits } from '../../numeric/code-types.js';
import { field } from './flat-tables.js';
import type { ActivationType, TfliteWriter } from './state.js';

/** enum Padding. */
const same = 0;
const valid = 1;

/** What a window slides over, and its kind of padding. */
interface PaddedInput {
  readonly input: QuantValue;
  readonly padding: typeof same | typeof valid;
}

/** The window of a convolution or pool; undefined where TFLite has none, which is reported. */
export function windowOf(
  writer: TfliteWriter,
  node: QuantConv | QuantPool,
): PaddedInput | undefined {
  const input = writer.input(node);
  const { pads, kernel, strides } = node;
  if (pads.every((pad) => pad === 0)) return { input, padding: valid };
  const dilations = node.op === 'Conv' ? node.dilations : ([1, 1] as const);
  const isSame = ([0, 1] as const).every((a) => {
    const [before, after] = samePadding(input.shape[a + 2]!, kernel[a], strides[a], dilations[a]);
    return pads[a] === before && pads[a + 2] === after;
  });
  const countsPadding = node.op === 'AveragePool' && node.countIncludePad;
  if (isSame && !countsPadding) return { input, padding: same };
  if (!padsWithZero(node, input)) {
    writer.fail(
      node,
      'unsupported-padding',
      `its padding ${pads.join(', ')} is none that TFLite has for ${node.op} (SAME or none); write an .onnx file`,
    );
    return;
  }
  const padded = paddedValue(writer.claim(`${node.output}/padded`), input, pads);
  addPad(writer, input, padded, pads);
  writer.paddings.add(padded.name);
  return { input: padded, padding: valid };
}

/** Whether codes of real zero around the image change nothing of what the layer makes of it. */
function padsWithZero(node: QuantConv | QuantPool, input: QuantValue): boolean {
  if (node.op === 'Conv') return true;
  // Zero never is the greatest code of a window where it is the least of all.
  return node.op === 'MaxPool' && input.zeroPoint === codeLimits(input.dtype, input.bits)[0];
}

function paddedValue(name: string, value: QuantValue, pads: Pads): QuantValue {
  const [, channels, height, width] = value.shape as [number, number, number, number];
  const [top, left, bottom, right] = pads;
  return { ...value, name, shape: [1, channels, height + top + bottom, width + left + right] };
}

/** Adds a PAD of `input` with real zero that makes `output`. */
export function addPad(
  writer: TfliteWriter,
  input: QuantValue,
  output: QuantValue,
  [top, left, bottom, right]: Pads,
): void {
  const amounts = [0, 0, top, bottom, left, right, 0, 0];
  const constants = [writer.integers(`${output.name}/paddings`, [4, 2], amounts)];
  const version = versionByType(input.dtype as ActivationType);
  writer.addOperator(
    { op: 'PAD', version, constants, options: { union: 22, fields: {} } },
    [input],
    output,
  );
}

/** Of the many operators that had uint8 first, then int8, then int16. */
export function versionByType(type: ActivationType): number {
  return { u8: 1, s8: 2, s16: 3 }[type];
}

/** Pool2DOptions. */
export function poolOptions({ kernel, strides }: QuantPool, padding: number, activation: number) {
  const fields = {
    0: field.byte(padding),
    1: field.int(strides[1]),
    2: field.int(strides[0]),
    3: field.int(kernel[1]),
    4: field.int(kernel[0]),
    5: field.byte(activation),
  };
  return { union: 5, fields };
}
