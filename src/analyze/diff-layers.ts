// SPDX-License-Identifier: Apache-2.0
// One quantized network under several targets: where their codes part, by how much, and which
// ingredient of the arithmetic does it.
import type { Codes } from '../numeric/code-types.js';
import type { CodeTensor, Trap } from '../program/executor.js';
import type { Op, Program } from '../program/program.js';
import type { OpenedProgram } from './compare-layers.js';
import { Counts, type CodeDifference } from './diff-counts.js';
import { type Outcome, Experiments } from './diff-experiments.js';
import { fingerprint } from './diff-ingredients.js';
import { causeOf, chainRoute, routeOf, type Cause, type Route } from './diff-routes.js';
import { matchOps } from './match-ops.js';

export type { CauseStep } from './diff-routes.js';

/** One layer under another target than the reference. */
export interface TargetDifference {
  readonly target: string;
  /** Both fed with the codes that the reference computes. */
  readonly isolated: CodeDifference;
  /** The whole networks, as they run. */
  readonly accumulated: CodeDifference;
  /** Of the isolated difference; null where there is none. */
  readonly cause: Cause | null;
  /** Of the first image on which only one of both accumulators trapped. */
  readonly trap?: Trap;
}

/** One layer; `name` is the input's for the quantization of the input. */
export interface LayerDifference {
  readonly name: string;
  readonly op: Op['op'] | 'input';
  readonly others: readonly TargetDifference[];
}

interface Other {
  readonly target: string;
  readonly program: Program;
  /** Names of the isolated results by operation. */
  readonly names: readonly (string | undefined)[];
  /** Its operations for those of the reference. */
  readonly chains: ReturnType<typeof matchOps>;
  readonly input: Counts;
  readonly isolated: readonly Counts[];
  readonly accumulated: readonly Counts[];
  readonly routes: Map<number, Route>;
}

/**
 * Compares programs of one quantized graph with the first of them. First all images go through
 * `compare`; then, for the causes, through `explain`.
 */
export class TargetDiff {
  private readonly others: readonly Other[];
  private readonly layers: Experiments;
  private readonly causes: Experiments;
  private readonly whole = new Map<string, { program: Program; opened?: OpenedProgram }>();
  private readonly prints = new Map<Program, string>();
  private routed = false;

  /**
   * @param programs of one graph, so that tensors of one name are the same value in all of them
   * @param open opens the native engine; its runs return all taps
   */
  constructor(
    private readonly programs: readonly Program[],
    private readonly open: (program: Program) => Promise<OpenedProgram>,
  ) {
    const [base, ...rest] = programs as [Program, ...Program[]];
    this.layers = new Experiments(base, open);
    this.causes = new Experiments(base, open);
    this.others = rest.map((program) => {
      const chains = matchOps(base, program);
      return {
        target: program.target,
        program,
        chains,
        names: chains.map((chain, i) => chain && this.layers.addChain(i, chain)),
        input: new Counts(),
        isolated: base.ops.map(() => new Counts()),
        accumulated: base.ops.map(() => new Counts()),
        routes: new Map<number, Route>(),
      };
    });
  }

  /** @param codes of the input, one for each program */
  async compare(codes: readonly Codes[]): Promise<void> {
    const { programs, layers, others } = this;
    const [base] = programs as [Program, ...Program[]];
    const alone = await layers.run(codes[0]!);
    const runs = new Map<string, ReadonlyMap<string, Outcome>>();
    for (const [k, other] of others.entries()) {
      const input = codes[k + 1]!;
      const key = await this.wholeRun(other.program, alone, input, codes[0]!, runs);
      const own = runs.get(key)!;
      other.input.add(tensorOf(base, codes[0]!), tensorOf(base, input));
      base.ops.forEach((op, i) => {
        const name = base.tensors[op.output]!.name;
        const isolated = other.names[i];
        if (isolated !== undefined) other.isolated[i]!.add(alone.get(name), alone.get(isolated));
        other.accumulated[i]!.add(alone.get(name), own.get(name));
      });
    }
  }

  /** Whether any code differed so far, so that there is something to explain. */
  get differs(): boolean {
    return this.others.some(
      ({ input, isolated, accumulated }) =>
        input.differing > 0 || [...isolated, ...accumulated].some((counts) => counts.differing > 0),
    );
  }

  /** Runs the steps between the targets for the layers that differed. */
  async explain(codes: Codes): Promise<void> {
    if (!this.routed) this.planRoutes();
    const results = await this.causes.run(codes);
    for (const { routes } of this.others) {
      for (const { steps, end } of routes.values()) {
        for (const { before, after, changed, single, remaining } of steps) {
          changed.add(results.get(before), results.get(after));
          if (single !== undefined) remaining.add(results.get(single), results.get(end));
        }
      }
    }
  }

  result(): readonly LayerDifference[] {
    const [base] = this.programs as [Program, ...Program[]];
    const input: LayerDifference = {
      name: base.tensors[base.input]!.name,
      op: 'input',
      others: this.others.map(({ target, input: counts, program }) => ({
        target,
        isolated: counts.result(),
        accumulated: counts.result(),
        cause: counts.differing === 0 ? null : inputCause(base, program, counts.differing),
      })),
    };
    const layers = base.ops.map((op, i): LayerDifference => {
      return { name: op.name, op: op.op, others: this.others.map((other) => layerOf(other, i)) };
    });
    return [input, ...layers];
  }

  close(): void {
    this.layers.close();
    this.causes.close();
    for (const { opened } of this.whole.values()) opened?.close();
  }

  /** Runs a whole program, once for equal programs and equal inputs; returns the key in `runs`. */
  private async wholeRun(
    program: Program,
    base: ReadonlyMap<string, Outcome>,
    codes: Codes,
    baseCodes: Codes,
    runs: Map<string, ReadonlyMap<string, Outcome>>,
  ): Promise<string> {
    const print = this.printOf(program);
    const ownPrint = this.printOf(this.programs[0]!);
    const equalInput = codes.every((code, i) => code === baseCodes[i]);
    const key = `${print} ${equalInput ? 'same input' : codes.join()}`;
    if (runs.has(key)) return key;
    if (equalInput && print === ownPrint) {
      runs.set(key, base);
      return key;
    }
    const entry = this.whole.get(print) ?? { program };
    entry.opened ??= await this.open(program);
    this.whole.set(print, entry);
    const { taps, trap } = await entry.opened.run(codes);
    const outcomes = new Map<string, Outcome>(taps);
    if (trap) {
      const op = program.ops.find(({ name }) => name === trap.layer)!;
      outcomes.set(program.tensors[op.output]!.name, trap);
    }
    runs.set(key, outcomes);
    return key;
  }

  /** Equal for programs that compute the same. */
  private printOf(program: Program): string {
    const known = this.prints.get(program);
    if (known !== undefined) return known;
    const print = fingerprint(program.ops.map((op) => ({ ...op, weights: undefined })));
    this.prints.set(program, print);
    return print;
  }

  private planRoutes(): void {
    this.routed = true;
    const [base] = this.programs as [Program];
    for (const other of this.others) {
      base.ops.forEach((op, i) => {
        if (other.isolated[i]!.differing === 0) return;
        const chain = other.chains[i]!;
        const [only, ...more] = chain.map((link) => link.op) as [Op, ...Op[]];
        const single = more.length === 0 && only.op === op.op;
        other.routes.set(
          i,
          single
            ? routeOf(this.causes, base.tensors, i, op, only)
            : chainRoute(this.causes, i, op, chain),
        );
      });
    }
  }
}

function tensorOf(program: Program, data: Codes): CodeTensor {
  return { ...program.tensors[program.input]!, data };
}

function layerOf({ target, isolated, accumulated, routes }: Other, i: number): TargetDifference {
  const route = routes.get(i);
  const trap = isolated[i]!.trap ?? accumulated[i]!.trap;
  return {
    target,
    isolated: isolated[i]!.result(),
    accumulated: accumulated[i]!.result(),
    cause: route ? causeOf(route) : null,
    ...(trap ? { trap } : {}),
  };
}

function inputCause(base: Program, program: Program, changed: number): Cause {
  const text = ({ inputQuantization: { form, rule } }: Program): string => `${form} ${rule}`;
  const detail = `${text(base)} to ${text(program)}`;
  return {
    text: 'input quantization',
    alone: true,
    steps: [{ ingredient: 'input quantization', detail, changed }],
  };
}
