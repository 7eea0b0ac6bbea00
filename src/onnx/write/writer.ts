// SPDX-License-Identifier: Apache-2.0
// What the parts of a quantized file's writer share: its state, and questions about the graph.
import { ModelError } from '../../errors.js';
import type { QuantConv, QuantGraph, QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { bitsOfType } from '../../numeric/code-types.js';
import type { OnnxBuilder } from '../file/builder.js';
import type { OnnxAttribute } from '../file/model.js';

/** One float operator of a layer; its first input is the previous stage's output, if any. */
export interface Stage {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  /** Further inputs after the previous stage's output. */
  readonly chained?: boolean;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** What both quantized forms of a file (qdq.ts, qop.ts) are written with. */
export interface Writer {
  readonly graph: QuantGraph;
  readonly file: OnnxBuilder;
  /** The tensor of codes of each value written so far, with its scale and zero point. */
  readonly codes: Map<string, CodesTensor>;
  /** The dequantized tensor of each value that has one, by value name. */
  readonly real: Map<string, string>;
}

/** Names of a tensor of codes and of the initializers that give them meaning. */
export interface CodesTensor {
  readonly tensor: string;
  /** The scale and, but for 32-bit codes, the zero point. */
  readonly parameters: readonly string[];
}

/** @throws ModelError `missing-value` */
export function valueOf(graph: QuantGraph, name: string): QuantValue {
  const value = graph.values.get(name);
  if (value === undefined) {
    throw new ModelError(
      'missing-value',
      `value "${name}"`,
      'the quantized graph does not hold it',
    );
  }
  return value;
}

/** @throws ModelError `missing-value` */
export function missing(node: QuantNode, name: string): never {
  throw new ModelError(
    'missing-value',
    `layer "${node.name}"`,
    `nothing before it makes "${name}"`,
  );
}

export function isNarrow(value: QuantValue): boolean {
  return value.bits < bitsOfType[value.dtype];
}

export function isGemm(graph: QuantGraph, conv: QuantConv): boolean {
  return conv.fullyConnected && valueOf(graph, conv.inputs[0]!).shape.length === 2;
}
