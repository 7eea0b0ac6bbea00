// SPDX-License-Identifier: Apache-2.0
import type { OnnxNode, OnnxTensor } from '../file/model.js';
import { Unsupported } from './problems.js';

interface Values {
  float: number;
  int: number;
  string: string;
  tensor: OnnxTensor;
  floats: readonly number[];
  ints: readonly number[];
}

/**
 * Reads a node's attributes by name and type, and knows at the end which were never asked for:
 * an attribute that an operator does not know would silently change what it means.
 */
export class Attributes {
  private readonly unread: Set<string>;

  constructor(private readonly node: OnnxNode) {
    this.unread = new Set(node.attributes.keys());
  }

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }

  float(name: string, absent: number): number {
    return this.value(name, 'float') ?? absent;
  }

  int(name: string, absent: number): number {
    return this.value(name, 'int') ?? absent;
  }

  flag(name: string, absent: boolean): boolean {
    return this.int(name, absent ? 1 : 0) !== 0;
  }

  text(name: string, absent: string): string {
    return this.value(name, 'string') ?? absent;
  }

  ints(name: string): readonly number[] | undefined {
    return this.value(name, 'ints');
  }

  floats(name: string): readonly number[] | undefined {
    return this.value(name, 'floats');
  }

  tensor(name: string): OnnxTensor | undefined {
    return this.value(name, 'tensor');
  }

  /** Marks attributes that mean nothing at inference. */
  ignore(...names: string[]): void {
    for (const name of names) this.unread.delete(name);
  }

  /** @throws Unsupported if an attribute is left that nobody asked for */
  finish(): void {
    if (this.unread.size > 0) {
      throw new Unsupported(`attribute ${[...this.unread].map((n) => `"${n}"`).join(', ')}`);
    }
  }

  private value<T extends keyof Values>(name: string, type: T): Values[T] | undefined {
    this.unread.delete(name);
    const found = this.node.attributes.get(name);
    if (found === undefined) return undefined;
    if (found.type !== type) {
      throw new Unsupported(`attribute "${name}" of type ${found.type}, expected ${type}`);
    }
    return found.value as Values[T];
  }
}
