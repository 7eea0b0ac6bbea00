// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../errors.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { lower } from '../program/lower.js';
import type { Program } from '../program/program.js';
import { allTargets } from '../targets/index.js';
import type { TargetSpec } from '../targets/target.js';
import { type Accepted, firstAccepting } from './default-target.js';
import { floatLayers } from './float-layers.js';
import type { ProgramModel, QuantizedModel } from './load-model.js';
import { resolveTarget } from './target-choice.js';

/** What float models are quantized for unless a target is named. */
export const defaultFloatTarget = 'tflm';

/**
 * The wished-for target; else the one in the file's metadata; else the first that runtimes of such
 * files have and that accepts the model.
 * @throws UsageError `unknown-target`; ModelError `target-constraint` where none accepts the model
 */
export function chooseTarget(quantGraph: QuantGraph, wish: string | undefined): TargetSpec {
  return wish === undefined ? defaultOf(quantGraph).target : resolveTarget(wish);
}

function defaultOf(quantGraph: QuantGraph): Accepted {
  const { target } = quantGraph.metadata;
  if (target === undefined) return firstAccepting(quantGraph, undefined);
  if (allTargets.some(({ id, aliases }) => id === target || aliases.includes(target))) {
    return firstAccepting(quantGraph, resolveTarget(target));
  }
  throw new UsageError(
    'unknown-target',
    `target "${target}"`,
    'the model was quantized for it and it is no built-in profile; give its file (--target FILE.json) or another target',
  );
}

/**
 * The integer program of a model under a target.
 * @throws UsageError `program-bound` where a `.lbp` belongs to another target; ModelError where
 *   the target cannot represent the model
 */
export function programOf(model: QuantizedModel | ProgramModel, wish?: string): Program {
  if (model.kind === 'quantized') {
    return wish === undefined
      ? described(model.quantGraph, defaultOf(model.quantGraph))
      : lowered(model.quantGraph, resolveTarget(wish));
  }
  const { program, file } = model;
  if (wish !== undefined && resolveTarget(wish).id !== program.target) {
    throw new UsageError(
      'program-bound',
      '--target',
      `${file} is bound to ${program.target}; leave --target away, or convert the model again for ${wish}`,
    );
  }
  return program;
}

function lowered(graph: QuantGraph, target: TargetSpec): Program {
  return described(graph, { target, program: lower(graph, target) });
}

/** A program that says where its runtime computes in float. */
function described(graph: QuantGraph, { target, program }: Accepted): Program {
  const unlike = floatLayers(graph, target);
  if (unlike === undefined) return program;
  return { ...program, metadata: { ...program.metadata, 'lastbit.unlike': unlike } };
}

/** What the importer left out of the file, and what the target leaves out of the network. */
export function notesOf(
  model: QuantizedModel | ProgramModel,
  ...programs: readonly Program[]
): readonly string[] {
  const imported = model.kind === 'quantized' ? (model.quantGraph.notes ?? []) : [];
  return [...imported, ...programs.flatMap(omissionsOf)];
}

/** What `lower` left out because the target has no form for it, and what the runtime does otherwise. */
export function omissionsOf({ metadata }: Program): readonly string[] {
  const all = ['omitted', 'unlike', 'unfit'].map((key) => metadata[`lastbit.${key}`]);
  return all.filter((sentence) => sentence !== undefined);
}

/** The preset that the model names. */
export function presetOf(model: QuantizedModel | ProgramModel): string | undefined {
  return model.kind === 'quantized'
    ? model.quantGraph.metadata.preprocess
    : model.program.metadata['lastbit.preprocess'];
}
