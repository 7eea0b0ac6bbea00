// SPDX-License-Identifier: Apache-2.0
// Float arithmetic on the network's input before it is quantized: normalization that was exported
// with the network. It is no integer layer; the input is taken behind it, and a note says so.
import type { OnnxNode, OnnxTensor } from '../file/model.js';
import { dtypeOf } from '../file/dtypes.js';
import { isFloatType } from './float-types.js';
import type { HeadStep, Known } from './known.js';
import { perChannel } from './per-channel.js';
import type { ImportState } from './state.js';

type Input = Extract<Known, { kind: 'input' }>;

const symbols: ReadonlyMap<string, string> = new Map([
  ['Add', '+'],
  ['Sub', '-'],
  ['Mul', '*'],
  ['Div', '/'],
]);

/** Takes Add, Sub, Mul or Div of the float input and a constant as a part of its normalization. */
export function takeHeadStep(state: ImportState, node: OnnxNode): boolean {
  const symbol = symbols.get(node.op);
  for (const index of [0, 1]) {
    const known = state.peek(node.inputs[index] ?? '');
    const constant = state.constant(node, 1 - index);
    if (symbol === undefined || known?.kind !== 'input' || known.dtype !== 'f32') continue;
    if (
      constant === undefined ||
      perChannel(constant.shape, constant.data, known.shape) === undefined
    )
      continue;
    const value = numbers(constant);
    const formula = (x: string): string =>
      index === 0 ? `(${x} ${symbol} ${value})` : `(${value} ${symbol} ${x})`;
    extend(state, node, known, formula);
    return true;
  }
  return false;
}

/**
 * Takes a cast of bytes or floats to a float type as the start of a normalization.
 */
export function takeHeadCast(state: ImportState, node: OnnxNode, to: number): boolean {
  const known = state.peek(node.inputs[0] ?? '');
  if (
    known?.kind !== 'input' ||
    !isFloatType(to) ||
    (known.dtype !== 'u8' && known.dtype !== 'f32')
  ) {
    return false;
  }
  extend(state, node, { ...known, dtype: 'f32' }, (x) =>
    dtypeOf(to) === 'f16' ? `float16(${x})` : x,
  );
  return true;
}

function extend(
  state: ImportState,
  node: OnnxNode,
  known: Input,
  formula: HeadStep['formula'],
): void {
  const name = node.name === '' ? node.outputs[0]! : node.name;
  const head = [...(known.head ?? []), { node: name, formula }];
  state.set(node.outputs[0]!, { ...known, head });
}

function numbers({ data }: OnnxTensor): string {
  const shown = Array.from(data, (value) => String(Number(value.toPrecision(7))));
  return shown.length === 1 ? shown[0]! : `[${shown.join(' ')}]`;
}

/** What the caller has to know of a normalization that is left out. */
export function headNote(input: string, head: readonly HeadStep[]): string {
  const names = head.map(({ node }) => `"${node}"`).join(', ');
  const formula = head.reduce((x, step) => step.formula(x), 'x');
  return (
    `float nodes ${names} before the first quantized value are left out: ` +
    `the input "${input}" is ${formula.replace(/^\((.*)\)$/, '$1')} of the file's own`
  );
}
