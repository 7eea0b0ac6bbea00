// SPDX-License-Identifier: Apache-2.0
import type { Limits } from '../limits/budget.js';
import {
  type LayerDifference,
  type OpenedProgram,
  type TargetDifference,
  TargetDiff,
  networkOf,
} from '../analyze/index.js';
import { type LoadedSample, modelFiles } from '../data/index.js';
import { Engine } from '../engine/engine.js';
import { ModelError, UsageError } from '../errors.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import type { Codes } from '../numeric/code-types.js';
import { lower } from '../program/lower.js';
import type { Program } from '../program/program.js';
import type { DiffDocument, DiffLayer, FirstDifference } from '../report/index.js';
import { allTargets } from '../targets/index.js';
import type { TargetSpec } from '../targets/target.js';
import { notesOf, presetOf } from './choose-program.js';
import { inputEncoder, trapFacts } from './executor.js';
import { floatLayers } from './float-layers.js';
import { type InputOptions, type InputReader, openInputs, programInput } from './inputs.js';
import { type QuantizedModel, loadQuantizedModel } from './load-model.js';
import type { ProgressListener } from './progress.js';
import { resolveTarget } from './target-choice.js';

/** Options of `diff`, as on the command line. */
export interface DiffOptions extends InputOptions {
  /** A quantized model that no target is bound to. */
  readonly model: string;
  /** Names, ids or files of targets; `['all']` for every profile. */
  readonly target: readonly string[];
  readonly threads?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

interface Lowered {
  readonly programs: readonly Program[];
  readonly specs: readonly TargetSpec[];
  readonly refused: DiffDocument['refused'];
}

/**
 * Runs a quantized model under several targets and says where they part from the first one, by how
 * much, and which ingredient of the arithmetic does it.
 * @throws UsageError; ModelError `too-few-targets` where fewer than two can represent the model
 */
export async function diffTargets(options: DiffOptions): Promise<DiffDocument> {
  const started = performance.now();
  const model = await loadUnbound(options.model, options);
  const { programs, specs, refused } = lowerAll(model.quantGraph, chosen(options.target), options);
  const inputs = openInputs(programInput(programs[0]!), presetOf(model), options);
  const threads = options.threads ?? 1;
  const diff = new TargetDiff(programs, (program) => openTapped(program, threads));
  const encode = encoders(programs, inputs);
  let images = 0;
  try {
    for await (const sample of inputs.source) {
      inputs.note(sample);
      await diff.compare(encode(sample));
      options.onProgress?.('compare', ++images, inputs.source.count);
    }
    if (diff.differs) {
      let explained = 0;
      for await (const sample of inputs.source) {
        await diff.explain(encode(sample)[0]!);
        options.onProgress?.('causes', ++explained, inputs.source.count);
      }
    }
    const layers = diff.result();
    const firsts = specs.slice(1).map(({ id }, k) => ({ target: id, first: firstOf(layers, k) }));
    return {
      model: options.model,
      models: modelFiles({ quantized: options.model }),
      targets: specs.map(({ id }) => id),
      evidence: Object.fromEntries(
        specs.map((spec) => [
          spec.id,
          floatLayers(model.quantGraph, spec) === undefined ? spec.evidence : 'unverified',
        ]),
      ),
      refused,
      images,
      first: earliest(layers, firsts),
      firsts,
      layers: layers.map(layerFacts),
      network: networkOf(programs[0]!),
      seconds: (performance.now() - started) / 1000,
      notes: [
        ...notesOf(model),
        ...specs.flatMap((spec) => floatLayers(model.quantGraph, spec) ?? []),
      ],
      ...inputs.facts(),
    };
  } finally {
    diff.close();
  }
}

async function loadUnbound(file: string, limits: Limits): Promise<QuantizedModel> {
  const model = await loadQuantizedModel(file, limits);
  if (model.kind === 'quantized') return model;
  throw new UsageError(
    'program-bound',
    file,
    `a .lbp holds the integers of one target, ${model.program.target}; give the quantized model it was made from`,
  );
}

function chosen(names: readonly string[]): readonly TargetSpec[] {
  const named = names.flatMap((name) => (name === 'all' ? allTargets : [resolveTarget(name)]));
  const specs = [...new Map(named.map((spec) => [spec.id, spec])).values()];
  if (specs.length > 1) return specs;
  throw new UsageError(
    'too-few-targets',
    '--target',
    `expected two or more different ones, got ${specs.map(({ id }) => id).join(', ')}; such as --target tflite-u8,xnnpack or --target all`,
  );
}

function lowerAll(
  graph: QuantGraph,
  wished: readonly TargetSpec[],
  { model }: DiffOptions,
): Lowered {
  const programs: Program[] = [];
  const specs: TargetSpec[] = [];
  const refused: { target: string; reason: string }[] = [];
  const rows = wished.some(({ arithmetic }) => arithmetic.accumulator.products === 'satPairs16');
  for (const spec of wished) {
    try {
      programs.push(lower(graph, spec, { rows }));
      specs.push(spec);
    } catch (error) {
      if (!(error instanceof ModelError && error.code === 'target-constraint')) throw error;
      refused.push({ target: spec.id, reason: error.detail });
    }
  }
  if (programs.length > 1) return { programs, specs, refused };
  const reasons = refused.map(({ target, reason }) => `${target}: ${reason}`).join('; ');
  throw new ModelError(
    'too-few-targets',
    model,
    `two targets are needed that can represent it, ${programs.length === 0 ? 'none' : 'one'} can; ${reasons}`,
  );
}

/** The input codes for each program; equal input quantization is computed once. */
function encoders(
  programs: readonly Program[],
  { preprocessing }: InputReader,
): (sample: LoadedSample) => Codes[] {
  const distinct = new Map<string, ReturnType<typeof inputEncoder>>();
  const keys = programs.map((program) => {
    const key = JSON.stringify(program.inputQuantization);
    if (!distinct.has(key)) distinct.set(key, inputEncoder(program, preprocessing));
    return key;
  });
  return (sample) => {
    const codes = new Map(Array.from(distinct, ([key, encode]) => [key, encode(sample)]));
    return keys.map((key) => codes.get(key)!);
  };
}

function openTapped(program: Program, threads: number): Promise<OpenedProgram> {
  const engine = Engine.load(program, { threads });
  return Promise.resolve({
    run: (codes) => engine.run(codes, { taps: 'all' }),
    close: () => {
      engine.close();
    },
  });
}

/** Where the k-th other target first has other codes. */
function firstOf(layers: readonly LayerDifference[], k: number): FirstDifference | null {
  const layer = layers.find(({ others }) => others[k]!.accumulated.differing > 0);
  if (!layer) return null;
  const { target, accumulated, cause, trap } = layer.others[k]!;
  return {
    target,
    layer: layer.name,
    op: layer.op,
    ...accumulated,
    cause: cause?.text ?? 'unknown',
    alone: cause?.alone ?? false,
    steps: cause?.steps ?? [],
    ...trapFacts(trap ? { trap } : {}),
  };
}

function earliest(
  layers: readonly LayerDifference[],
  firsts: DiffDocument['firsts'],
): FirstDifference | null {
  const place = ({ layer, op }: FirstDifference): number =>
    layers.findIndex((one) => one.name === layer && one.op === op);
  const found = firsts.flatMap(({ first }) => (first ? [first] : []));
  return found.sort((a, b) => place(a) - place(b))[0] ?? null;
}

function layerFacts({ name, op, others }: LayerDifference): DiffLayer {
  return {
    name,
    op,
    others: others.map(({ trap, ...entry }: TargetDifference) => ({
      ...entry,
      ...trapFacts(trap ? { trap } : {}),
    })),
  };
}
