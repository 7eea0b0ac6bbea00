// SPDX-License-Identifier: Apache-2.0
import { extname } from 'node:path';

import type {
  GeometryChoice,
  InputKind,
  LoadedSample,
  LoadedSource,
  LoadOptions,
  NetworkInput,
  Preprocessing,
} from '../data/index.js';
import {
  fileSource,
  folderSource,
  labelledSource,
  packedSource,
  resolvePreprocessing,
} from '../data/index.js';
import { ModelError, UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { inputLayoutKey } from '../passes/input-to-nchw.js';
import type { Limits } from '../limits/budget.js';
import type { Program } from '../program/program.js';
import type { PreprocessFacts } from '../report/index.js';

/** Options that say where inputs come from and how pixels are read. */
export interface InputOptions extends Limits {
  /** One image, .npy or .bin. */
  readonly input?: string | undefined;
  /** A folder of these, or one .npy of many. */
  readonly images?: string | undefined;
  readonly limit?: number | undefined;
  readonly preprocess?: string | undefined;
  readonly geometry?: GeometryChoice | undefined;
  readonly inputKind?: InputKind | undefined;
}

export interface LabelledInputOptions extends InputOptions {
  readonly labels: string;
  readonly labelOffset: number;
  readonly classes: number;
}

/** Loads inputs and remembers how they became the network's. */
export interface InputReader {
  readonly source: LoadedSource;
  /** Asked after the samples were taken. */
  facts(): PreprocessFacts;
  /** Counts a sample, or several that became inputs in the same way. */
  note(sample: Pick<LoadedSample, 'how'>, count?: number): void;
  /** The preprocessing of pixels. */
  readonly preprocessing: () => Preprocessing;
}

/** The single image input of a float graph. */
export function floatInput(graph: Graph, file: string): NetworkInput {
  const [input] = graph.inputs;
  const [batch = 1, channels = 0, height = 1, width = 1] = input?.shape ?? [];
  if (graph.inputs.length === 1 && batch === 1 && channels > 0) {
    const layout = graph.metadata.get(inputLayoutKey) === 'NHWC' ? 'NHWC' : 'NCHW';
    return { channels, height, width, layout };
  }
  throw new ModelError(
    'unsupported-input',
    file,
    `expected one input [1, C, H, W], got ${graph.inputs.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(' and ')}`,
  );
}

/** The input of a program. */
export function programInput(program: Program): NetworkInput {
  return program.tensors[program.input]!;
}

/**
 * Opens `--input` or `--images`.
 * @throws UsageError `missing-input`; those of the sources
 */
export function openInputs(
  network: NetworkInput,
  metadata: string | undefined,
  options: InputOptions,
): InputReader {
  const { input, images, limit } = options;
  return reader(network, metadata, options, (load) => {
    if (input !== undefined && images === undefined) return fileSource(input, load);
    if (images !== undefined && input === undefined) {
      return isPacked(images)
        ? packedSource(images, undefined, { ...load, limit, labelOffset: 0, classes: 0 })
        : folderSource(images, { ...load, limit });
    }
    throw new UsageError(
      'missing-input',
      '--input, --images',
      'give either --input FILE or --images DIR',
    );
  });
}

/** Opens `--images` with `--labels`: a folder and a CSV, or two .npy files. */
export function openLabelledInputs(
  network: NetworkInput,
  metadata: string | undefined,
  options: LabelledInputOptions & { readonly images: string },
): InputReader {
  const { images, labels, limit, labelOffset, classes } = options;
  return reader(network, metadata, options, (load) => {
    const labelled = { ...load, limit, labelOffset, classes };
    return isPacked(images)
      ? packedSource(images, labels, labelled)
      : labelledSource(images, labels, labelled);
  });
}

function isPacked(images: string): boolean {
  return extname(images).toLowerCase() === '.npy';
}

function reader(
  network: NetworkInput,
  metadata: string | undefined,
  options: InputOptions,
  open: (load: LoadOptions) => LoadedSource,
): InputReader {
  let resolved: Preprocessing | undefined;
  const applied: Record<string, number> = {};
  const preprocessing = (): Preprocessing =>
    (resolved ??= resolvePreprocessing(network, {
      flag: options.preprocess,
      metadata,
      geometry: options.geometry,
    }));
  // A wrong name is an error even where no pixel needs it.
  if (options.preprocess !== undefined) preprocessing();
  return {
    preprocessing,
    source: open({ input: network, preprocessing, inputKind: options.inputKind, limits: options }),
    note: ({ how }, count = 1) => {
      applied[how] = (applied[how] ?? 0) + count;
    },
    facts: () => ({
      preprocess: resolved?.preset.name ?? null,
      preprocessDecidedBy: resolved?.decidedBy ?? null,
      ...contradictionTo(resolved, metadata),
      geometry: resolved?.geometry ?? null,
      geometryApplied: applied,
    }),
  };
}

/** What the file remembers, where a flag named another preset. */
function contradictionTo(
  chosen: Preprocessing | undefined,
  remembered: string | undefined,
): { readonly preprocessContradicts?: string } {
  const isSame = remembered === undefined || remembered === chosen?.preset.name;
  return isSame || chosen?.decidedBy !== 'flag' ? {} : { preprocessContradicts: remembered };
}
