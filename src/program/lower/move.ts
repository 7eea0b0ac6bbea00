// SPDX-License-Identifier: Apache-2.0
// Operations that copy codes: all sides get the output's quantization first.
import type { QuantConcat, QuantPad, QuantReshape, QuantValue } from '../../graph/quant-graph.js';
import { imageOf, type LoweringState } from './state.js';
import { converted } from './unary.js';

export function lowerConcat(state: LoweringState, node: QuantConcat): void {
  const value = state.value(node.output);
  const { concat, requantize } = state.target.arithmetic.unary;
  const form = concat ?? requantize;
  const distinct = Array.from(new Set(node.inputs));
  const tensors = new Map(
    distinct.map((name) => [name, converted(state, node, name, value, form)]),
  );
  const inputs = node.inputs.map((name) => tensors.get(name)!);
  const output = state.write(node.output);
  state.ops.push({ op: 'concat', name: node.name, inputs, output });
}

export function lowerPad(state: LoweringState, node: QuantPad): void {
  const inputs = [converted(state, node, node.inputs[0]!, state.value(node.output))];
  const output = state.write(node.output);
  state.ops.push({ op: 'pad', name: node.name, inputs, output, pads: node.pads });
}

/**
 * A reshape keeps the order of NCHW elements, a program holds NHWC. Both orders are the same for
 * one pixel and for one channel. Flattening an image otherwise has no operation: the layers that
 * read it take the image itself.
 */
export function lowerReshape(state: LoweringState, node: QuantReshape): void {
  const name = node.inputs[0]!;
  const [from, to] = [state.value(name), state.value(node.output)];
  if (state.isStoodFor(name)) {
    state.standIn(node, name);
    return;
  }
  const image = state.flattened.get(name);
  if (image === undefined && ((sameOrder(from) && sameOrder(to)) || sameImage(from, to))) {
    const inputs = [converted(state, node, name, to)];
    const output = state.write(node.output);
    state.ops.push({ op: 'reshape', name: node.name, inputs, output });
    return;
  }
  const equal =
    from.scale === to.scale && from.zeroPoint === to.zeroPoint && from.dtype === to.dtype;
  const { height, width } = imageOf(to)!;
  if (height * width !== 1 || !equal || !onlyConvolved(state, node.output)) {
    state.refuse(
      node,
      'reorders an image; only flattening it for fully connected layers can be represented',
    );
  }
  state.flattened.set(node.output, image ?? from);
}

function sameOrder(value: QuantValue): boolean {
  const { height, width, channels } = imageOf(value)!;
  return channels === 1 || height * width === 1;
}

function sameImage(a: QuantValue, b: QuantValue): boolean {
  const [x, y] = [imageOf(a)!, imageOf(b)!];
  return x.height === y.height && x.width === y.width && x.channels === y.channels;
}

/** Whether only whole-image layers (and reshapes on the way to them) read a value. */
function onlyConvolved({ graph }: LoweringState, name: string): boolean {
  const readers = graph.nodes.filter((node) => node.inputs.includes(name));
  return (
    !graph.outputs.includes(name) &&
    readers.every(
      (r) =>
        r.op === 'Reshape' || (r.op === 'Conv' && r.kernel[0] * r.kernel[1] === 1 && r.group === 1),
    )
  );
}
