// SPDX-License-Identifier: Apache-2.0
// Which operations of a program compute what one operation of another does. Targets that share a
// graph mostly have one each; some add operations of their own, such as a table behind a mean.
import type { Op, Program, ProgramTensor } from '../program/program.js';

/** One operation of a chain. */
export interface Link {
  /** Inputs are tensors of the base program, or its tensor count + the position of an earlier link. */
  readonly op: Op;
  readonly tensor: ProgramTensor;
}

/**
 * For each operation of `base`, the operations of `program` from tensors that both have to its output;
 * tensors correspond by name. Undefined where `program` has no such output. Both write the values of
 * the graph in the same order.
 */
export function matchOps(base: Program, program: Program): (readonly Link[] | undefined)[] {
  const places = new Map(base.tensors.map(({ name }, index) => [name, index]));
  const producers = new Map(program.ops.map((op) => [op.output, op]));
  const outputs = new Map(program.tensors.map(({ name }, index) => [name, index]));
  return base.ops.map(({ output }) => {
    const end = outputs.get(base.tensors[output]!.name);
    const chain: Link[] = [];
    const links = new Map<number, number>();
    const place = (index: number): number => {
      const own = places.get(program.tensors[index]!.name);
      if (index !== end && own !== undefined) return own;
      const known = links.get(index);
      if (known !== undefined) return known;
      const op = producers.get(index)!;
      const inputs = op.inputs.map(place);
      chain.push({ op: { ...op, inputs, output }, tensor: program.tensors[index]! });
      links.set(index, base.tensors.length + chain.length - 1);
      return base.tensors.length + chain.length - 1;
    };
    if (end !== undefined && producers.has(end)) place(end);
    return chain.length > 0 ? chain : undefined;
  });
}
