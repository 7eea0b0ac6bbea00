// SPDX-License-Identifier: Apache-2.0
// An ONNX graph under construction: nodes in order, initializers, and names that never collide.
import type { OnnxAttribute, OnnxData, OnnxDType, OnnxNode, OnnxTensor } from './model.js';

/** Collects what {@link writeQdq}, {@link writeQop} and `writeInteger` emit. */
export class OnnxBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxTensor>();
  /** Versions of the operator sets used besides the standard one. */
  readonly domains = new Map<string, number>();
  private readonly values: Set<string>;
  private readonly layers: Set<string>;

  /** The names given here keep their meaning; everything invented later avoids them. */
  constructor(values: Iterable<string>, layers: Iterable<string>) {
    this.values = new Set(values);
    this.layers = new Set(layers);
  }

  /** A value name that nobody has yet. */
  value(wanted: string): string {
    return claim(this.values, wanted);
  }

  /** A node name that nobody has yet. */
  layer(wanted: string): string {
    return claim(this.layers, wanted);
  }

  /** @returns the initializer's name */
  constant(wanted: string, dtype: OnnxDType, shape: readonly number[], data: OnnxData): string {
    const name = this.value(wanted);
    this.initializers.set(name, { name, dtype, shape, data });
    return name;
  }

  /**
   * An s64 constant of any size.
   * @returns the initializer's name
   */
  constantInt64(wanted: string, shape: readonly number[], exact: BigInt64Array): string {
    const name = this.value(wanted);
    const data = Float64Array.from(exact, Number);
    this.initializers.set(name, { name, dtype: 's64', shape, data, exact });
    return name;
  }

  node(
    op: string,
    name: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = '',
  ): void {
    if (domain !== '') this.domains.set(domain, 1);
    this.nodes.push({
      name,
      op,
      domain,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
  }
}

function claim(taken: Set<string>, wanted: string): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
  taken.add(name);
  return name;
}

/** Attribute makers. */
export const attribute = {
  int: (value: number): OnnxAttribute => ({ type: 'int', value }),
  ints: (value: readonly number[]): OnnxAttribute => ({ type: 'ints', value }),
  float: (value: number): OnnxAttribute => ({ type: 'float', value }),
  text: (value: string): OnnxAttribute => ({ type: 'string', value }),
};
