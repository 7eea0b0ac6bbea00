// SPDX-License-Identifier: Apache-2.0
// What importers of quantized files have in common: the graph that grows while a file is read in
// order, names that stay unique, and one error that names all that is wrong.
import { Problems } from './problems.js';
import type { ConstantLayers } from './quant-constant.js';
import type { QuantGraph, QuantNode, QuantValue } from './quant-graph.js';

/** The facts of a graph that are known at the end of its file. */
export interface GraphEnds extends Pick<QuantGraph, 'name' | 'input' | 'metadata' | 'origin'> {
  /** Undefined for an output that nothing makes, which has been reported. */
  readonly outputs: readonly (string | undefined)[];
}

/** A quantized graph while an importer reads a file. */
export class QuantAssembly {
  readonly problems = new Problems();
  readonly values = new Map<string, QuantValue>();
  readonly nodes: QuantNode[] = [];
  private readonly notes: string[] = [];
  private readonly layers = new Set<string>();

  /** A name for a layer: the wanted one, or with a number if another layer has that. */
  claimLayer(wanted: string): string {
    let name = wanted;
    for (let n = 2; this.layers.has(name); n++) name = `${wanted}#${n}`;
    this.layers.add(name);
    return name;
  }

  /** Adds a layer whose output is a value already. */
  add(node: QuantNode): void {
    this.nodes.push(node);
  }

  /** Adds a value that the file does not name, and its layer. */
  addInner(value: QuantValue, node: QuantNode): void {
    this.values.set(value.name, value);
    this.add(node);
  }

  /** Adds the layers of a constant operand and returns its value. */
  addConstant({ nodes, values }: ConstantLayers): QuantValue {
    for (const node of nodes) this.add(node);
    for (const value of values) this.values.set(value.name, value);
    return values.at(-1)!;
  }

  /** Keeps one sentence about what the graph has not of the file. */
  note(sentence: string): void {
    this.notes.push(sentence);
  }

  /** Notes that float arithmetic behind the value `held`, at the network's end, is left out. */
  noteTail(what: string, held: string): void {
    this.note(`float ${what} after the last quantized value is left out: the output is "${held}"`);
  }

  /** Reports an output that no quantized layer makes. */
  missingOutput(name: string): void {
    this.problems.add('bad-output', `output "${name}"`, 'no quantized layer makes it');
  }

  /**
   * The graph.
   *
   * @throws ModelError naming everything that has been reported
   */
  finish({ name, input, outputs, metadata, origin }: GraphEnds): QuantGraph {
    this.problems.throwIfAny();
    const { values, nodes, notes } = this;
    return {
      name,
      input,
      outputs: outputs.filter((output) => output !== undefined),
      values,
      nodes,
      metadata,
      origin,
      ...(notes.length > 0 ? { notes } : {}),
    };
  }
}
