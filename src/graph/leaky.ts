// SPDX-License-Identifier: Apache-2.0
import { scalarClamp } from './clamps.js';
import type { Node, Tensor } from './graph.js';

/** Where the parts of a leaky ReLU go. */
export interface LeakyParts {
  /** Name of the last node, which makes `output`. */
  readonly name: string;
  readonly input: string;
  readonly output: string;
  /** One number, or one per channel in a shape that fits the input. */
  readonly slope: Tensor;
  addConstant(wanted: string, tensor: Tensor): string;
  fresh(wanted: string): string;
}

/**
 * max(x, 0) + min(slope * x, 0), which is x where x > 0 and slope * x elsewhere. Where a slope is negative, the
 * product has to come behind the minimum.
 */
export function leakyNodes(parts: LeakyParts): readonly Node[] {
  const { name, input, output, slope } = parts;
  const [above, below, scaled] = ['positive', 'negative', 'sloped'].map((part) =>
    parts.fresh(`${output}/${part}`),
  ) as [string, string, string];
  const factor = parts.addConstant(`${output}/slope`, slope);
  const node = (part: string, value: string) => ({
    name: parts.fresh(`${name}/${part}`),
    outputs: [value],
  });
  const product = (from: string, to: string): Node => ({
    ...{ ...node('slope', to), op: 'Mul' as const, inputs: [from, factor] },
  });
  const bounded = (from: string, to: string): Node => ({
    ...{ ...node('min', to), op: 'Clamp' as const, inputs: [from] },
    clamp: scalarClamp(-Infinity, 0),
  });
  const negative = slope.data.some((value) => value < 0)
    ? [bounded(input, below), product(below, scaled)]
    : [product(input, below), bounded(below, scaled)];
  return [
    { ...node('max', above), op: 'Clamp', inputs: [input], clamp: scalarClamp(0, Infinity) },
    ...negative,
    { op: 'Add', name, inputs: [above, scaled], outputs: [output] },
  ];
}
