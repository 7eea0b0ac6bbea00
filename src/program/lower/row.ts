// SPDX-License-Identifier: Apache-2.0
// A flattened image as a row in NCHW order, for sums whose result depends on the order of terms.
import type { QuantConv, QuantValue } from '../../graph/quant-graph.js';
import { codeLimits } from '../../numeric/code-types.js';
import type { ConvOp } from '../program.js';
import { imageOf, type LoweringState } from './state.js';

/** Selecting n positions takes n x n weights; more than these are refused. */
const mostPositions = 1024;

/** Whether a row in NCHW order is another one than in NHWC order. */
export function isReordered(image: QuantValue): boolean {
  const { height, width, channels } = imageOf(image)!;
  return channels > 1 && height * width > 1;
}

/**
 * The tensor 1 x 1 x K of a flattened image in NCHW order. The image H x W x C, read as a column
 * of HW positions with C entries each, goes through a convolution whose kernel is that column and
 * whose output channel p is position p: 1 x C x HW, which is the order of NCHW.
 *
 * @param name of the flattened value that `node` reads
 * @returns the tensor's index; one tensor serves all readers of a value
 */
export function rowOf(state: LoweringState, node: QuantConv, name: string): number {
  if (state.isWritten(name)) return state.read(node, name);
  const { when, overflow } = state.target.arithmetic.accumulator;
  if (when === 'each' && overflow !== 'wrap') {
    state.refuse(
      node,
      'sums over a flattened image overflow step by step in the order of its rows; compare this ' +
        'target with others that have no pairs of products',
    );
  }
  const image = state.flattened.get(name)!;
  const { height, width, channels } = imageOf(image)!;
  const positions = height * width;
  if (positions > mostPositions) {
    state.refuse(
      node,
      `reads a flattened image of ${height} x ${width}, whose products saturate in pairs along the ` +
        `row in NCHW order; at most ${mostPositions} positions can be put into that order, so ` +
        `run it under a target without pairs, such as onnxruntime or fbgemm`,
    );
  }
  const flatten = state.graph.nodes.find((one) => one.output === name)!;
  const columns = state.append(image, `${name}/columns`, {
    ...image,
    shape: [1, 1, positions, channels],
  });
  const ordered = state.append(image, `${name}/ordered`, {
    ...image,
    shape: [1, positions, 1, channels],
  });
  state.ops.push(
    {
      op: 'reshape',
      name: `${flatten.name}/columns`,
      inputs: [state.read(node, image.name)],
      output: columns,
    },
    selection(`${flatten.name}/ordered`, columns, ordered, image, positions),
    { op: 'reshape', name: flatten.name, inputs: [ordered], output: state.write(name) },
  );
  return state.read(node, name);
}

/** Codes leave as they are: weights 1 and 0, factor 1. */
function selection(
  name: string,
  input: number,
  output: number,
  { dtype }: QuantValue,
  positions: number,
): ConvOp {
  const weights = new Int8Array(positions * positions);
  for (let p = 0; p < positions; ++p) weights[p * positions + p] = 1;
  const [least, greatest] = codeLimits(dtype);
  return {
    op: 'conv',
    name,
    inputs: [input],
    output,
    kernel: [positions, 1],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    groups: 1,
    weightType: 's8',
    weights,
    weightZeroPoints: Int32Array.of(0),
    bias: new Int32Array(positions),
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    requant: { kind: 'f32', scale: Float32Array.of(1) },
    clamp: { lo: Int32Array.of(least), hi: Int32Array.of(greatest) },
  };
}
