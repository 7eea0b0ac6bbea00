// SPDX-License-Identifier: Apache-2.0
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import {
  hiddenNeighbour,
  makeFolder,
  modelFiles,
  writeFileAtomic,
  writeNpy,
} from '../data/index.js';
import { ModelError, UsageError } from '../errors.js';
import { Budget } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import type {
  CheckerKind,
  LayerCheck,
  Manifest,
  ManifestArray,
  ManifestLayer,
  VectorFormat,
  VectorSettings,
} from '../golden/index.js';
import {
  checkerMemories,
  checkSettings,
  cocotbFacts,
  cocotbTest,
  defaultLayouts,
  filesOf,
  manifestJsonSchema,
  systemVerilogChecker,
  tosaDescription,
} from '../golden/index.js';
import type { Codes } from '../numeric/code-types.js';
import { encode } from '../program/encode.js';
import type { Op, Program } from '../program/program.js';
import type { GoldenDocument } from '../report/index.js';
import { toJson } from '../report/index.js';
import { notesOf, presetOf, programOf } from './choose-program.js';
import { hashOfNumbers, inputEncoder, sha256 } from './executor.js';
import type { InputOptions } from './inputs.js';
import { openInputs, programInput } from './inputs.js';
import { loadQuantizedModel } from './load-model.js';
import { numberedName, requireFreeFolder } from './output-folder.js';
import type { ProgressListener } from './progress.js';
import { evidenceOf } from './target-choice.js';
import { openVectorRun, type LayerArray, type VectorRun } from './vector-run.js';
import { version } from '../engine/own-package.js';

/** Options of `golden`, as on the command line. */
export interface GoldenOptions extends InputOptions {
  /** Any quantized model. */
  readonly model: string;
  readonly target?: string | undefined;
  /** The folder that is made. */
  readonly out: string;
  /** Names of layers; absent or `['all']`: all. */
  readonly layers?: readonly string[] | undefined;
  /** Default: npy. */
  readonly formats?: readonly VectorFormat[] | undefined;
  /** Order of activations in memories: nhwc (default), nchw, nchw16c. */
  readonly layout?: string | undefined;
  /** Order of weights in memories: ohwi (default), oihw, hwio. */
  readonly weightLayout?: string | undefined;
  readonly endian?: 'little' | 'big' | undefined;
  readonly wordBits?: number | undefined;
  readonly laneOrder?: 'low-first' | 'high-first' | undefined;
  /** Bits of a number in .mem files, by role. */
  readonly widths?: VectorSettings['widths'] | undefined;
  readonly accumulators?: boolean | undefined;
  /** Checkers to write beside each layer; they need the accumulators. */
  readonly checkers?: readonly CheckerKind[] | undefined;
  /** Products from one partial sum to the next. */
  readonly partialSums?: number | undefined;
  readonly threads?: number | undefined;
  readonly overwrite?: boolean | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * Writes golden vectors of a quantized model, one folder a layer, with a manifest that `verifyVectors`
 * checks anywhere: the program itself and the images' codes lie beside it.
 * @throws UsageError, ModelError; nothing is left behind then
 */
export async function goldenVectors(options: GoldenOptions): Promise<GoldenDocument> {
  const started = performance.now();
  const { out, overwrite = false } = options;
  const settings = settingsOf(options);
  checkSettings(settings);
  requireFreeFolder(out, overwrite);
  const model = await loadQuantizedModel(options.model, options);
  const program = programOf(model, options.target);
  const run = openVectorRun(program, choiceOf(options), options);
  try {
    const notes = [...notesOf(model, program), ...run.notes];
    const manifest = await inNewFolder(out, (folder) =>
      new VectorWriter(folder, program, run, settings, options.checkers ?? []).write(
        options,
        presetOf(model),
        notes,
      ),
    );
    return documentOf(manifest, options, (performance.now() - started) / 1000);
  } finally {
    run.close();
  }
}

function settingsOf(options: GoldenOptions): VectorSettings {
  return {
    formats: [...new Set<VectorFormat>(options.formats ?? ['npy'])],
    layouts: {
      activations: options.layout ?? defaultLayouts.activations,
      weights: options.weightLayout ?? defaultLayouts.weights,
    },
    endian: options.endian ?? 'little',
    wordBits: options.wordBits,
    laneOrder: options.laneOrder ?? 'low-first',
    widths: options.widths ?? {},
  };
}

function choiceOf({ layers, accumulators = false, partialSums, checkers = [] }: GoldenOptions) {
  return { layers, partialSums, accumulators: accumulators || checkers.length > 0 };
}

/** Writes into a hidden neighbour, which takes the folder's place when it is whole. */
async function inNewFolder<Result>(
  out: string,
  write: (folder: string) => Promise<Result>,
): Promise<Result> {
  const full = resolve(out);
  const neighbour = hiddenNeighbour(full);
  try {
    makeFolder(neighbour);
  } catch (error) {
    throw new UsageError('cannot-write', out, (error as Error).message);
  }
  try {
    const result = await write(neighbour);
    if (existsSync(full)) rmSync(full, { recursive: true });
    renameSync(neighbour, full);
    return result;
  } finally {
    rmSync(neighbour, { recursive: true, force: true });
  }
}

/** Writes the files of one folder and remembers what the manifest says of them. */
class VectorWriter {
  private readonly images: Manifest['images'] = [];
  private readonly arrays = new Map<string, ManifestArray[]>();

  constructor(
    private readonly folder: string,
    private readonly program: Program,
    private readonly run: VectorRun,
    private readonly settings: VectorSettings,
    private readonly checkers: readonly CheckerKind[],
  ) {}

  async write(
    options: GoldenOptions,
    preset: string | undefined,
    notes: readonly string[],
  ): Promise<Manifest> {
    const { program, run } = this;
    this.save('program.lbp', encode(program));
    for (const op of run.ops) {
      // A signal that comes while files are made is heard between two layers.
      await turn();
      this.arrays.set(op.name, []);
      this.addAll(
        op,
        run.registers(op).arrays.map((array) => ({ array })),
        this.folderOf(op),
      );
    }
    const inputs = openInputs(programInput(program), preset, options);
    const codesOf = inputEncoder(program, inputs.preprocessing);
    for await (const sample of inputs.source) {
      inputs.note(sample);
      await this.addImage(sample.name, codesOf(sample), inputs.source.count > 1);
      options.onProgress?.('golden', this.images.length, inputs.source.count);
    }
    return this.finish(options, notes);
  }

  private async addImage(name: string, codes: Codes, isOneOfMany: boolean): Promise<void> {
    const image = this.images.length;
    const layers = await this.run.image(codes);
    this.addInput(name, codes);
    for (const op of this.run.ops) {
      await turn();
      const part = isOneOfMany ? `/${imageFolder(image)}` : '';
      const { arrays, check } = layers.get(op.name)!;
      const folder = `${this.folderOf(op)}${part}`;
      this.addAll(
        op,
        arrays.map((array) => ({ array, image })),
        folder,
      );
      if (this.checkers.length > 0) this.addChecker(op, check(this.settings.layouts), folder);
    }
  }

  /** Checkers that read nothing but the files beside them. */
  private addChecker(op: Op, check: LayerCheck, folder: string): void {
    const number = this.program.ops.indexOf(op);
    const save = (name: string, content: string): void => {
      this.save(`${folder}/checker/${name}`, content);
    };
    for (const [name, content] of checkerMemories(check)) save(name, content);
    if (this.checkers.includes('sv')) save('checker.sv', systemVerilogChecker(check, number));
    if (!this.checkers.includes('cocotb')) return;
    save('check.json', `${JSON.stringify(cocotbFacts(check), undefined, 2)}\n`);
    save('test_layer.py', cocotbTest);
  }

  private addInput(name: string, codes: Codes): void {
    const { dtype, height, width, channels } = this.program.tensors[this.program.input]!;
    const path = `images/${imageFolder(this.images.length)}.npy`;
    this.save(path, writeNpy({ dtype, shape: [1, height, width, channels], data: codes }));
    this.images.push({ name, path, sha256: hashOfNumbers(codes) });
  }

  private addAll(op: Op, arrays: readonly LayerArray[], folder: string): void {
    const added = arrays.map(({ array, image }): ManifestArray => {
      const files = filesOf(array, this.settings, `${op.name}, ${array.name}`);
      const { role, name, tensor, dtype, axes, scale, zeroPoint } = array;
      return {
        ...{ role, name, dtype, axes, shape: [...array.shape], sha256: hashOfNumbers(array.data) },
        ...(tensor === undefined ? {} : { tensor }),
        ...(image === undefined ? {} : { image }),
        ...(scale === undefined ? {} : { scale }),
        ...(zeroPoint === undefined ? {} : { zeroPoint }),
        files: files.map((file) => {
          const path = `${folder}/${file.name}`;
          this.save(path, file.content);
          return {
            ...{ path, format: file.format, axes: file.axes, shape: [...file.shape] },
            ...(file.word === undefined ? {} : { word: file.word }),
            ...(file.format === 'bin' ? { endian: this.settings.endian } : {}),
            sha256: sha256(file.content),
          };
        }),
      };
    });
    this.arrays.get(op.name)!.push(...added);
  }

  /** The manifest last: where it stands, everything it lists does. */
  private finish(options: GoldenOptions, notes: readonly string[]): Manifest {
    const { program, run } = this;
    const layers = run.ops.map((op): ManifestLayer => ({
      ...{ name: op.name, op: op.op, folder: this.folderOf(op) },
      attributes: run.registers(op).attributes,
      arrays: this.arrays.get(op.name)!,
    }));
    if (this.settings.formats.includes('npy')) this.describe(layers);
    const manifest: Manifest = {
      $schema: './manifest.schema.json',
      schemaVersion: 1,
      tool: { name: 'lastbit', version },
      target: program.target,
      evidence: evidenceOf(program.target, program.metadata),
      model: { file: options.model, sha256: sha256(readModelBytes(options)) },
      program: { path: 'program.lbp', sha256: sha256(encode(program)) },
      images: this.images,
      ...(options.partialSums === undefined ? {} : { partialSums: options.partialSums }),
      layers,
      notes: [...notes],
    };
    this.save('manifest.schema.json', `${JSON.stringify(manifestJsonSchema(), undefined, 2)}\n`);
    this.save('manifest.json', toJson(manifest));
    return manifest;
  }

  /** One desc.json beside the files of each layer and image. */
  private describe(layers: readonly ManifestLayer[]): void {
    for (const layer of layers) {
      this.images.forEach((_, image) => {
        const part = this.images.length > 1 ? `/${imageFolder(image)}` : '';
        const description = tosaDescription(layer, this.program.target, image);
        const text = `${JSON.stringify(description, undefined, 2)}\n`;
        this.save(`${layer.folder}${part}/desc.json`, text);
      });
    }
  }

  private folderOf(op: Op): string {
    const index = this.program.ops.indexOf(op);
    return `layers/${numberedName(index, op.name.split(';')[0]!)}`;
  }

  private save(path: string, content: Uint8Array | string): void {
    writeFileAtomic(join(this.folder, path), content, { many: true });
  }
}

function imageFolder(index: number): string {
  return `image-${String(index).padStart(3, '0')}`;
}

function documentOf(manifest: Manifest, options: GoldenOptions, seconds: number): GoldenDocument {
  const arrays = manifest.layers.flatMap((layer) => layer.arrays);
  return {
    model: options.model,
    models: modelFiles({ quantized: options.model }),
    target: manifest.target,
    evidence: manifest.evidence,
    out: options.out,
    manifest: join(options.out, 'manifest.json'),
    layers: manifest.layers.length,
    images: manifest.images.length,
    arrays: arrays.length,
    files: arrays.reduce((sum, { files }) => sum + files.length, 0),
    values: arrays.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    notes: manifest.notes,
    seconds,
  };
}

function readModelBytes(options: GoldenOptions): Uint8Array {
  const { model } = options;
  return readPlainFile(
    model,
    new Budget(options),
    (reason) => new ModelError('no-such-file', model, `expected a model: ${reason}`),
  );
}
