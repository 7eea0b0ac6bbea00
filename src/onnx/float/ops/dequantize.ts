// SPDX-License-Identifier: Apache-2.0
// DequantizeLinear of constants. Where weights alone are stored as codes, the network computes in
// float, and such weights are float constants.
import type { Shape, Tensor } from '../../../graph/graph.js';
import { elementCount, f32Tensor, sameShape } from '../../../graph/tensors.js';
import type { Attributes } from '../attributes.js';
import type { Evaluate, NodeContext } from '../context.js';
import { Unsupported } from '../problems.js';

/** f32((code - zero point) * scale), (10, 13, 19, 21, 23, 24); rounded once. */
export const dequantizeConstant: Evaluate = (inputs, attributes, context) => {
  attributes.ignore('output_dtype');
  const [x, scale, zero] = inputs as readonly [Tensor, Tensor, Tensor | undefined];
  if (zero !== undefined && !sameShape(zero.shape, scale.shape)) {
    throw new Unsupported(`zero points of another shape than the scales`);
  }
  const at = placeOf(x.shape, scale.shape, attributes, context);
  const zeros = zero?.data;
  return f32Tensor(
    x.shape,
    Float32Array.from(x.data, (code, i) => (code - (zeros?.[at(i)] ?? 0)) * scale.data[at(i)]!),
  );
};

/** Where the scale of the i-th code lies: one for all, one along an axis, or one for each block of it. */
function placeOf(
  shape: Shape,
  scales: Shape,
  attributes: Attributes,
  context: NodeContext,
): (i: number) => number {
  const stated = attributes.int('axis', 1);
  const block = attributes.int('block_size', 0);
  if (elementCount(scales) === 1 && block === 0) return () => 0;
  const axis = context.axis(stated, shape.length);
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  if (block === 0) {
    if (!sameShape(scales, [size])) throw mismatch(scales, [size]);
    return (i) => Math.floor(i / inner) % size;
  }
  if (block < 0) throw new Unsupported(`block_size ${block}`);
  const blocks = Math.ceil(size / block);
  const wanted = shape.map((n, i) => (i === axis ? blocks : n));
  if (!sameShape(scales, wanted)) throw mismatch(scales, wanted);
  return (i) => {
    const along = Math.floor(i / inner);
    const outer = Math.floor(along / size);
    return (outer * blocks + Math.floor((along % size) / block)) * inner + (i % inner);
  };
}

function mismatch(got: Shape, wanted: Shape): Unsupported {
  return new Unsupported(`scales of shape [${got.join()}] where [${wanted.join()}] is expected`);
}
