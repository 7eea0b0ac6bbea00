// SPDX-License-Identifier: Apache-2.0
import type { Codes } from '../numeric/code-types.js';
import type { CodeTensor, Trap } from '../program/executor.js';
import type { Op, Program, ProgramTensor } from '../program/program.js';
import type { OpenedProgram } from './compare-layers.js';
import { fingerprint } from './diff-ingredients.js';
import type { Link } from './match-ops.js';

/** What an operation made: codes, or the accumulator that trapped instead. */
export type Outcome = CodeTensor | Trap;

interface Variant {
  readonly index: number;
  readonly op: Op;
  readonly name: string;
  /** Of the result. */
  readonly tensor: ProgramTensor;
}

/**
 * Other forms of a program's operations, each fed with what the program itself computes: one run
 * gives the results of all of them. Equal forms run once.
 */
export class Experiments {
  private readonly variants: Variant[] = [];
  private readonly names = new Map<string, string>();
  private readonly opened = new Map<string, OpenedProgram>();

  constructor(
    readonly base: Program,
    private readonly open: (program: Program) => Promise<OpenedProgram>,
  ) {
    base.ops.forEach((op, index) => {
      const tensor = base.tensors[op.output]!;
      this.names.set(keyOf(index, op, tensor), tensor.name);
    });
  }

  /** @returns the name under which `run` gives the result of `op` in place of operation `index` */
  add(index: number, op: Op, tensor = this.base.tensors[op.output]!): string {
    const key = keyOf(index, op, tensor);
    const known = this.names.get(key);
    if (known !== undefined) return known;
    const name = `${op.name} (form ${this.variants.length + 1})`;
    this.names.set(key, name);
    this.variants.push({ index, op, name, tensor });
    return name;
  }

  /** @returns the name of the result of a chain; undefined if a link that may trap feeds another */
  addChain(index: number, chain: readonly Link[]): string | undefined {
    if (chain.length > 1 && chain.some(({ op }) => canTrap(op))) return undefined;
    const count = this.base.tensors.length;
    const names: string[] = [];
    for (const { op, tensor } of chain) {
      const inputs = op.inputs.map((input) =>
        input < count ? input : this.tensorOf(names[input - count]!),
      );
      names.push(this.add(index, { ...op, inputs }, tensor));
    }
    return names.at(-1);
  }

  /** Tensors of the program come first, then those of the variants. */
  private tensorOf(name: string): number {
    const variant = this.variants.findIndex((one) => one.name === name);
    if (variant >= 0) return this.base.tensors.length + variant;
    return this.base.tensors.findIndex((tensor) => tensor.name === name);
  }

  /** Results by tensor name; what comes after a trap of the program itself is missing. */
  async run(codes: Codes): Promise<ReadonlyMap<string, Outcome>> {
    const { base } = this;
    let run = await this.runTogether(codes, undefined);
    if (run.trap) {
      const { trap } = run;
      const stop = base.ops.findIndex(({ name }) => name === trap.layer);
      run = await this.runTogether(codes, stop);
      run.outcomes.set(base.tensors[base.ops[stop]!.output]!.name, trap);
    }
    for (const { index, op, name } of this.variants.filter((one) => canTrap(one.op))) {
      const input = op.inputs[0]!;
      const given = run.outcomes.get(base.tensors[input]!.name);
      const own = input === base.input ? codes : given && 'data' in given ? given.data : undefined;
      if (own) run.outcomes.set(name, await this.runAlone(index, op, name, own));
    }
    return run.outcomes;
  }

  close(): void {
    for (const executor of this.opened.values()) executor.close();
    this.opened.clear();
  }

  /** The program up to operation `stop`, and all forms that read no more than that. */
  private async runTogether(
    codes: Codes,
    stop: number | undefined,
  ): Promise<{ outcomes: Map<string, Outcome>; trap: Trap | undefined }> {
    const program = this.program(stop);
    if (program.ops.length === 0) return { outcomes: new Map(), trap: undefined };
    const executor = await this.executor(`up to ${stop ?? 'the end'}`, () => program);
    const { taps, trap } = await executor.run(codes);
    return { outcomes: new Map<string, Outcome>(taps), trap };
  }

  /** A form that may trap runs by itself, so that the others still run. */
  private async runAlone(index: number, op: Op, name: string, codes: Codes): Promise<Outcome> {
    const { base } = this;
    const tensors = [base.tensors[op.inputs[0]!]!, { ...base.tensors[op.output]!, name }];
    const alone = { ...op, inputs: [0], output: 1 };
    const executor = await this.executor(name, () => this.part(tensors, [alone]));
    const { taps, trap } = await executor.run(codes);
    return trap ? { ...trap, layer: base.ops[index]!.name } : taps.get(name)!;
  }

  private async executor(key: string, program: () => Program): Promise<OpenedProgram> {
    const known = this.opened.get(key) ?? (await this.open(program()));
    this.opened.set(key, known);
    return known;
  }

  private program(stop = this.base.ops.length): Program {
    const { base } = this;
    const kept = base.ops.slice(0, stop);
    const tensors: ProgramTensor[] = kept.map((op) => base.tensors[op.output]!);
    tensors.unshift(base.tensors[base.input]!);
    const place = new Map([base.input, ...kept.map((op) => op.output)].map((old, i) => [old, i]));
    const moved = (op: Op): number[] => op.inputs.map((input) => place.get(input)!);
    const ops: Op[] = kept.map((op) => ({
      ...op,
      inputs: moved(op),
      output: place.get(op.output)!,
    }));
    for (const [k, { index, op, name, tensor }] of this.variants.entries()) {
      if (canTrap(op) || index > stop) continue;
      tensors.push({ ...tensor, name });
      ops.push({ ...op, name, inputs: moved(op), output: tensors.length - 1 });
      place.set(base.tensors.length + k, tensors.length - 1);
    }
    return this.part(tensors, ops);
  }

  private part(tensors: readonly ProgramTensor[], ops: readonly Op[]): Program {
    const { target, metadata, inputQuantization } = this.base;
    const outputs = [tensors.length - 1];
    return { target, metadata, inputQuantization, tensors, ops, input: 0, outputs };
  }
}

function canTrap(op: Op): boolean {
  return op.op === 'conv' && op.accumulator.overflow === 'trap';
}

/** Weights belong to the model and are the same under all targets. */
function keyOf(index: number, op: Op, tensor: ProgramTensor): string {
  const arithmetic = { ...op, name: undefined, weights: undefined };
  return `${index} ${fingerprint([arithmetic, { ...tensor, name: undefined }])}`;
}
