// SPDX-License-Identifier: Apache-2.0
import type { Codes, CodeTensor, Trap } from '../program/executor.js';
import type { Op, Program, ProgramTensor } from '../program/program.js';
import type { OpenedProgram } from './compare-layers.js';
import { fingerprint } from './diff-steps.js';

/** What an operation made: codes, or the accumulator that trapped instead. */
export type Outcome = CodeTensor | Trap;

interface Variant {
  readonly index: number;
  readonly op: Op;
  readonly name: string;
}

/**
 * Other forms of a program's operations, each fed with what the program itself computes: one run
 * gives the results of all of them. Equal forms run once.
 */
export class Experiments {
  private readonly variants: Variant[] = [];
  private readonly names = new Map<string, string>();
  private opened: { readonly key: string; readonly executor: OpenedProgram } | undefined;

  constructor(
    readonly base: Program,
    private readonly open: (program: Program) => Promise<OpenedProgram>,
  ) {
    base.ops.forEach((op, index) => {
      this.names.set(keyOf(index, op), base.tensors[op.output]!.name);
    });
  }

  /** @returns the name under which `run` gives the result of `op` in place of operation `index` */
  add(index: number, op: Op): string {
    const key = keyOf(index, op);
    const known = this.names.get(key);
    if (known !== undefined) return known;
    const name = `${op.name} (form ${this.variants.length + 1})`;
    this.names.set(key, name);
    this.variants.push({ index, op, name });
    return name;
  }

  /** Results by tensor name; what comes after a trap of the program itself is missing. */
  async run(codes: Codes): Promise<ReadonlyMap<string, Outcome>> {
    const traps = new Map<string, Trap>();
    for (;;) {
      const executor = await this.executor(traps);
      const { taps, trap } = executor
        ? await executor.run(codes)
        : { taps: new Map<string, CodeTensor>(), trap: undefined };
      if (trap === undefined) return new Map<string, Outcome>([...taps, ...traps]);
      const variant = this.variants.find(({ name }) => name === trap.layer);
      const own = this.base.ops.find(({ name }) => name === trap.layer);
      if (variant) traps.set(variant.name, { ...trap, layer: this.base.ops[variant.index]!.name });
      else traps.set(this.base.tensors[own!.output]!.name, trap);
    }
  }

  close(): void {
    this.opened?.executor.close();
    this.opened = undefined;
  }

  /** Without the operations that trapped, and without what the program does after a trap. */
  private async executor(traps: ReadonlyMap<string, Trap>): Promise<OpenedProgram | undefined> {
    const key = [...traps.keys()].join('\n');
    if (this.opened?.key === key) return this.opened.executor;
    this.close();
    const program = this.program(traps);
    if (program.ops.length === 0) return undefined;
    this.opened = { key, executor: await this.open(program) };
    return this.opened.executor;
  }

  private program(traps: ReadonlyMap<string, Trap>): Program {
    const { base } = this;
    const stop = base.ops.findIndex(({ output }) => traps.has(base.tensors[output]!.name));
    const kept = stop < 0 ? base.ops : base.ops.slice(0, stop);
    const tensors: ProgramTensor[] = kept.map((op) => base.tensors[op.output]!);
    tensors.unshift(base.tensors[base.input]!);
    const place = new Map([base.input, ...kept.map((op) => op.output)].map((old, i) => [old, i]));
    const moved = (op: Op): number[] => op.inputs.map((input) => place.get(input)!);
    const ops: Op[] = kept.map((op) => ({
      ...op,
      inputs: moved(op),
      output: place.get(op.output)!,
    }));
    for (const { index, op, name } of this.variants) {
      if (traps.has(name) || (stop >= 0 && index > stop)) continue;
      tensors.push({ ...base.tensors[op.output]!, name });
      ops.push({ ...op, name, inputs: moved(op), output: tensors.length - 1 });
    }
    const { target, metadata, inputQuantization } = base;
    return {
      target,
      metadata,
      inputQuantization,
      tensors,
      ops,
      input: 0,
      outputs: [tensors.length - 1],
    };
  }
}

/** Weights belong to the model and are the same under all targets. */
function keyOf(index: number, op: Op): string {
  return `${index} ${fingerprint({ ...op, name: undefined, weights: undefined })}`;
}
