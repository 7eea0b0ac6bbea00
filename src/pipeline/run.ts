// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import { explainTrap } from '../analyze/index.js';
import type { LoadedSample } from '../data/index.js';
import { readNames, writeFileAtomic, writeNpy } from '../data/index.js';
import { topClasses } from '../evaluate/index.js';
import type { CodeTensor, RunResult } from '../program/executor.js';
import { encode } from '../program/encode.js';
import type { Program } from '../program/program.js';
import type {
  ImageResult,
  RunDocument,
  TensorFacts,
  TopEntry,
  TrapFacts,
} from '../report/index.js';
import { toJson } from '../report/index.js';
import { notesOf, presetOf, programOf } from './choose-program.js';
import type { SampleExecutor } from './executor.js';
import { openExecutor, sha256, tensorFacts, trapFacts } from './executor.js';
import type { InputOptions } from './inputs.js';
import { openInputs, programInput } from './inputs.js';
import { loadQuantizedModel } from './load-model.js';
import { numberedName, requireFreeFolder } from './output-folder.js';
import type { ProgressListener } from './progress.js';
import { evidenceOf } from './target-choice.js';

/** Options of `run`, as on the command line. */
export interface RunModelOptions extends InputOptions {
  /** Any quantized model. */
  readonly model: string;
  readonly target?: string | undefined;
  /** Names of layers or tensors whose codes to write, or `['all']`. */
  readonly taps?: readonly string[] | undefined;
  /** Folder for outputs and taps as .npy, with a manifest. */
  readonly out?: string | undefined;
  /** How many of the best classes to list. */
  readonly top?: number | undefined;
  readonly names?: string | undefined;
  readonly threads?: number | undefined;
  readonly overwrite?: boolean | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** One file of `--out`. */
interface ManifestEntry extends TensorFacts {
  readonly file: string;
  readonly input: string;
  readonly role: 'input' | 'tap' | 'output';
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * Runs a quantized model exactly on one or more inputs.
 * @throws UsageError, ModelError; a trapped accumulator is part of the result
 */
export async function runModel(options: RunModelOptions): Promise<RunDocument> {
  const { out, overwrite = false } = options;
  const model = await loadQuantizedModel(options.model, options);
  const program = programOf(model, options.target);
  if (out !== undefined) requireFreeFolder(out, overwrite);
  const inputs = openInputs(programInput(program), presetOf(model), options);
  const names =
    options.names === undefined ? undefined : readNames(options.names, classesOf(program));
  const executor = openExecutor(program, inputs.preprocessing, { threads: options.threads });
  const taps = tapsOf(options.taps);
  const images: ImageResult[] = [];
  const entries: ManifestEntry[] = [];
  let tapped: readonly TensorFacts[] = [];
  try {
    for await (const sample of inputs.source) {
      inputs.note(sample);
      const started = performance.now();
      const result = await executor.run(sample, taps);
      const latencyMs = performance.now() - started;
      const trap = await trapOf(program, executor, sample, result);
      images.push({ ...imageResult(sample, result, latencyMs, options.top ?? 5, names), ...trap });
      if (images.length === 1) tapped = [...result.taps.values()].map(tensorFacts);
      if (out !== undefined) {
        const folder =
          inputs.source.count === 1 ? '' : numberedName(images.length - 1, sample.name);
        const given = { ...program.tensors[program.input]!, data: executor.codesOf(sample) };
        entries.push(...writeTensors(out, folder, sample, given, result));
      }
      // Lets a signal in: with images in memory nothing else waits for the system.
      await turn();
      options.onProgress?.('run', images.length, inputs.source.count);
    }
  } finally {
    executor.close();
  }
  if (out !== undefined) writeManifest(out, options.model, program, entries);
  return {
    target: program.target,
    evidence: evidenceOf(program.target, program.metadata),
    notes: notesOf(model, program),
    ...images[0]!,
    ...inputs.facts(),
    ...(images.length > 1 ? { images } : {}),
    ...(tapped.length > 0 ? { taps: tapped } : {}),
    ...(out === undefined ? {} : { out }),
  };
}

/** The number of classes: codes of the first output. */
export function classesOf(program: Program): number {
  const { height, width, channels } = program.tensors[program.outputs[0]!]!;
  return height * width * channels;
}

function tapsOf(taps: readonly string[] | undefined): 'all' | readonly string[] {
  if (taps === undefined) return [];
  return taps.length === 1 && taps[0] === 'all' ? 'all' : taps;
}

function imageResult(
  sample: LoadedSample,
  result: RunResult,
  latencyMs: number,
  top: number,
  names: readonly string[] | undefined,
): ImageResult {
  const [scores] = result.outputs;
  return {
    input: sample.name,
    outputs: result.outputs.map(tensorFacts),
    top: scores ? topOf(scores, top, names) : [],
    latencyMs,
  };
}

/** Where an accumulator left its range, and what was added to what. */
async function trapOf(
  program: Program,
  executor: SampleExecutor,
  sample: LoadedSample,
  { trap }: RunResult,
): Promise<{ trap?: TrapFacts }> {
  if (!trap) return {};
  const op = program.ops.find(({ name }) => name === trap.layer)!;
  const input = program.tensors[op.inputs[0]!]!.name;
  const { taps } = await executor.run(sample, [input]);
  return trapFacts({ trap }, explainTrap(program, trap, taps.get(input)!.data));
}

function topOf(
  { data, scale, zeroPoint }: CodeTensor,
  count: number,
  names: readonly string[] | undefined,
): TopEntry[] {
  return topClasses(data, count).map(({ index, score }) => ({
    index,
    label: names?.[index] ?? null,
    score: scale * (score - zeroPoint),
  }));
}

function writeTensors(
  out: string,
  folder: string,
  sample: LoadedSample,
  given: CodeTensor,
  result: RunResult,
): ManifestEntry[] {
  const tensors = new Map<string, [CodeTensor, ManifestEntry['role']]>();
  tensors.set(given.name, [given, 'input']);
  for (const tensor of result.taps.values()) tensors.set(tensor.name, [tensor, 'tap']);
  for (const tensor of result.outputs) tensors.set(tensor.name, [tensor, 'output']);
  return [...tensors.values()].map(([tensor, role], i) => {
    const file = join(folder, `${numberedName(i, tensor.name)}.npy`);
    const facts = tensorFacts(tensor);
    writeFileAtomic(
      join(out, file),
      writeNpy({ dtype: tensor.dtype, shape: facts.shape, data: tensor.data }),
      { many: true },
    );
    return {
      ...facts,
      file,
      input: sample.name,
      role,
      scale: tensor.scale,
      zeroPoint: tensor.zeroPoint,
    };
  });
}

/** Written last: where it stands, everything it lists does. */
function writeManifest(
  out: string,
  model: string,
  program: Program,
  files: readonly ManifestEntry[],
): void {
  const programSha256 = sha256(encode(program));
  const manifest = { model, target: program.target, programSha256, layout: 'NHWC', files };
  writeFileAtomic(join(out, 'manifest.json'), toJson(manifest));
}
