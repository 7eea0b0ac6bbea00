// SPDX-License-Identifier: Apache-2.0
// One quantized network under several targets: where their codes part, by how much, and which
// ingredient of the arithmetic does it.
import { ModelError } from '../errors.js';
import type { Codes, CodeTensor, Trap } from '../program/executor.js';
import { checkOp } from '../program/check.js';
import type { Op, Program, ProgramTensor } from '../program/program.js';
import type { OpenedProgram } from './compare-layers.js';
import type { Outcome } from './diff-experiments.js';
import { Experiments } from './diff-experiments.js';
import { fingerprint, type Ingredient } from './diff-ingredients.js';
import { stepsBetween } from './diff-steps.js';
import { matchOps, type Link } from './match-ops.js';

/** Codes of two tensors that are not the same. */
export interface CodeDifference {
  /** Compared, over all images. */
  readonly elements: number;
  readonly differing: number;
  /** Largest difference of two codes. */
  readonly maxLsb: number;
}

/** One step of the way between two arithmetics, run. */
export interface CauseStep {
  readonly ingredient: Ingredient;
  readonly detail: string;
  /** Codes that this exchange changes on the way. */
  readonly changed: number;
}

export interface Cause {
  /** The ingredient, or those that together make the difference, joined by " + ". */
  readonly text: string;
  /** Whether one ingredient exchanged alone makes all of the difference. */
  readonly alone: boolean;
  readonly steps: readonly CauseStep[];
}

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

class Counts {
  elements = 0;
  differing = 0;
  maxLsb = 0;
  trap: Trap | undefined;

  add(a: Outcome | undefined, b: Outcome | undefined): void {
    if (a === undefined || b === undefined) return;
    if ('data' in a && 'data' in b) {
      this.compare(a.data, b.data);
      return;
    }
    // One side or both have no codes: equal only where the same value left the same range.
    const [x, y] = [a, b].map((one) => ('data' in one ? undefined : one));
    if (x && x.element === y?.element && x.value === y.value) return;
    const codes = 'data' in a ? a : 'data' in b ? b : undefined;
    const count = codes?.data.length ?? 1;
    this.elements += count;
    this.differing += count;
    this.trap ??= y ?? x;
  }

  result(): CodeDifference {
    const { elements, differing, maxLsb } = this;
    return { elements, differing, maxLsb };
  }

  private compare(a: Codes, b: Codes): void {
    this.elements += a.length;
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i]) continue;
      this.differing++;
      this.maxLsb = Math.max(this.maxLsb, Math.abs(a[i]! - b[i]!));
    }
  }
}

/** A layer's way from the reference to one target, and what each stop on it computes. */
interface Route {
  readonly steps: readonly {
    readonly ingredient: Ingredient;
    readonly detail: string;
    /** Names of results before and after this step on the way. */
    readonly before: string;
    readonly after: string;
    readonly changed: Counts;
    /** This step alone, from the reference; undefined where it has no such form. */
    readonly single: string | undefined;
    /** Of the step alone to the target. */
    readonly remaining: Counts;
  }[];
  /** The target's own result. */
  readonly end: string;
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
        other.routes.set(i, single ? this.routeOf(i, op, only) : this.chainRoute(i, op, chain));
      });
    }
  }

  /** One exchange of an operation for others in its place. */
  private chainRoute(index: number, op: Op, chain: readonly Link[]): Route {
    const end = this.causes.addChain(index, chain)!;
    const kinds = chain.map((link) => link.op.op);
    const all = [op.op, ...kinds];
    const ingredient = all.includes('averagePool')
      ? 'pool rounding'
      : all.includes('add')
        ? 'add form'
        : 'requantization form';
    const before = this.causes.add(index, op);
    const step = {
      before,
      after: end,
      single: end,
      changed: new Counts(),
      remaining: new Counts(),
    };
    return { steps: [{ ingredient, detail: `${op.op} to ${kinds.join(', ')}`, ...step }], end };
  }

  private routeOf(index: number, a: Op, b: Op): Route {
    const end = this.causes.add(index, b);
    const steps: Route['steps'][number][] = [];
    let at: Op = a;
    const planned = stepsBetween(a, b);
    const { tensors } = this.programs[0]!;
    let skipped = false;
    for (const [k, { ingredient, detail, apply }] of planned.entries()) {
      const formOf = (op: Op): Op | undefined => {
        const form = apply(op);
        return form && admits(tensors, form) ? form : undefined;
      };
      const last = k === planned.length - 1;
      const next = last ? b : apply(at);
      if (next === undefined) continue; // No such form here: a later step includes it.
      if (next !== b && !admits(tensors, next)) {
        skipped = true; // It could not run; what includes it has no single ingredient.
        continue;
      }
      const single = planned.length === 1 ? b : formOf(a);
      steps.push({
        ingredient: skipped ? 'requantization form' : ingredient,
        detail,
        before: this.causes.add(index, at),
        after: this.causes.add(index, next),
        changed: new Counts(),
        single: single && this.causes.add(index, single),
        remaining: new Counts(),
      });
      at = next;
      skipped = false;
    }
    return { steps, end };
  }
}

/** Whether an operation can run in place of one with the same tensors. */
function admits(tensors: readonly ProgramTensor[], op: Op): boolean {
  try {
    checkOp(tensors, op);
    return true;
  } catch (error) {
    if (error instanceof ModelError) return false;
    throw error;
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

/**
 * One ingredient is the cause where it is the only one on the way that changes a code, or where it
 * alone, exchanged in the reference, already gives all of the target's codes.
 */
function causeOf({ steps }: Route): Cause {
  const facts = steps.map(({ ingredient, detail, changed }) => {
    return { ingredient, detail, changed: changed.differing };
  });
  const active = steps.filter(({ changed }) => changed.differing > 0);
  const [only, ...more] = active;
  if (only && more.length === 0) return { text: only.ingredient, alone: true, steps: facts };
  const sufficient = active.find(
    ({ single, remaining }) =>
      single !== undefined && remaining.elements > 0 && remaining.differing === 0,
  );
  if (sufficient) return { text: sufficient.ingredient, alone: true, steps: facts };
  const names = [...active]
    .sort((x, y) => y.changed.differing - x.changed.differing)
    .map(({ ingredient }) => ingredient);
  return { text: [...new Set(names)].join(' + '), alone: false, steps: facts };
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
