// SPDX-License-Identifier: Apache-2.0
import { dirname, join, normalize, isAbsolute } from 'node:path';

import { readNpy } from '../data/index.js';
import { ModelError } from '../errors.js';
import { Budget, type Limits } from '../limits/budget.js';
import { kindOf, readPlainFile, readTextFile } from '../limits/read-file.js';
import type { Manifest, ManifestArray, ManifestLayer } from '../golden/index.js';
import { parseManifest } from '../golden/index.js';
import type { Codes } from '../numeric/code-types.js';
import { decode } from '../program/decode.js';
import { encode } from '../program/encode.js';
import type { Program } from '../program/program.js';
import type { VerifyDifference, VerifyDocument } from '../report/index.js';
import { programOf } from './choose-program.js';
import { hashOfNumbers, sha256 } from './executor.js';
import { loadQuantizedModel } from './load-model.js';
import type { ProgressListener } from './progress.js';
import { openVectorRun, type LayerArray, type VectorRun } from './vector-run.js';

/** Options of `verify`, as on the command line. */
export interface VerifyOptions extends Limits {
  /** `manifest.json` of `golden`, or its folder. */
  readonly manifest: string;
  /** The model again, to see that it still becomes the same program. */
  readonly model?: string | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * Runs the program of golden vectors again and compares every array and every file with its hash.
 * @returns `ok` false with the first difference, where there is one
 * @throws ModelError `bad-manifest`, `missing-file`; those of loading the program
 */
export async function verifyVectors(options: VerifyOptions): Promise<VerifyDocument> {
  const started = performance.now();
  const file = manifestFile(options.manifest);
  const folder = dirname(file);
  const manifest = parseManifest(readText(file), file);
  const program = decode(readListed(folder, manifest.program.path), new Budget(options));
  requireLayers(manifest, program, file);
  const differences = new Differences(folder);
  await checkProgram(manifest, program, options, differences);
  checkFiles(manifest, differences);
  const run = openVectorRun(program, choiceOf(manifest), options);
  try {
    checkRegisters(manifest, run, differences);
    for (const [index, image] of manifest.images.entries()) {
      const codes = readCodes(folder, image.path, program);
      if (hashOfNumbers(codes) !== image.sha256) differences.add('image', image.path);
      const arrays = await run.image(codes);
      for (const layer of manifest.layers)
        differences.compare(layer, arrays.get(layer.name)!.arrays, index);
      options.onProgress?.('verify', index + 1, manifest.images.length);
    }
  } finally {
    run.close();
  }
  return {
    manifest: file,
    target: manifest.target,
    ok: differences.count === 0,
    layers: manifest.layers.length,
    images: manifest.images.length,
    ...differences.facts(),
    seconds: (performance.now() - started) / 1000,
  };
}

function manifestFile(given: string): string {
  return kindOf(given) === 'folder' ? join(given, 'manifest.json') : given;
}

function readText(file: string): string {
  return readTextFile(file, (reason) => missing(file, reason));
}

/** A file that the manifest names; it may not lead out of the folder. */
function readListed(folder: string, path: string): Uint8Array {
  const inside = normalize(path);
  if (isAbsolute(inside) || inside.startsWith('..')) {
    throw new ModelError(
      'bad-manifest',
      path,
      'expected a path inside of the folder; write the vectors again with lastbit golden',
    );
  }
  const file = join(folder, inside);
  return readPlainFile(file, new Budget(), (reason) => missing(file, reason));
}

function missing(file: string, reason: string): ModelError {
  return new ModelError(
    'missing-file',
    file,
    `${reason}; give the manifest.json of a whole folder that lastbit golden made`,
  );
}

/** Each layer of the manifest is one of the program's. */
function requireLayers({ layers }: Manifest, { ops }: Program, file: string): void {
  const known = new Set(ops.map(({ name }) => name));
  const strange = layers.find(({ name }) => !known.has(name));
  if (strange === undefined) return;
  throw new ModelError(
    'bad-manifest',
    file,
    `its layer "${strange.name.slice(0, 200)}" is none of the program's; write the vectors again with lastbit golden`,
  );
}

function readCodes(folder: string, path: string, program: Program): Codes {
  const { dtype, height, width, channels, name } = program.tensors[program.input]!;
  const array = readNpy(readListed(folder, path), path);
  if (array.dtype === dtype && array.data.length === height * width * channels)
    return array.data as Codes;
  throw new ModelError(
    'bad-manifest',
    path,
    `expected ${height} x ${width} x ${channels} codes of ${dtype} for "${name}", got [${array.shape.join(', ')}] of ${array.dtype}`,
  );
}

function choiceOf({ layers, partialSums }: Manifest) {
  const roles = new Set(layers.flatMap(({ arrays }) => arrays.map(({ role }) => role)));
  return {
    layers: layers.map(({ name }) => name),
    accumulators: roles.has('accumulators'),
    partialSums,
  };
}

async function checkProgram(
  manifest: Manifest,
  program: Program,
  options: VerifyOptions,
  differences: Differences,
): Promise<void> {
  const { path, sha256: expected } = manifest.program;
  if (sha256(encode(program)) !== expected) differences.add('program', path);
  const { model } = options;
  if (model === undefined) return;
  const again = programOf(await loadQuantizedModel(model, options), manifest.target);
  if (sha256(encode(again)) !== expected) differences.add('model', model);
}

function checkFiles({ layers }: Manifest, differences: Differences): void {
  for (const layer of layers)
    for (const array of layer.arrays)
      for (const file of array.files) differences.file(file.path, file.sha256);
}

function checkRegisters({ layers }: Manifest, run: VectorRun, differences: Differences): void {
  const ops = new Map(run.ops.map((op) => [op.name, op]));
  for (const layer of layers) {
    differences.compare(layer, run.registers(ops.get(layer.name)!).arrays, undefined);
  }
}

/** Counts what was compared and keeps the first difference. */
class Differences {
  count = 0;
  private files = 0;
  private arrays = 0;
  private values = 0;
  private first: VerifyDifference | null = null;

  constructor(private readonly folder: string) {}

  facts() {
    const { files, arrays, values, count: differing, first } = this;
    return { files, arrays, values, differing, first };
  }

  add(kind: VerifyDifference['kind'], path: string, more: Partial<VerifyDifference> = {}): void {
    this.count++;
    this.first ??= { kind, path, ...more };
  }

  file(path: string, expected: string): void {
    this.files++;
    if (!kindOf(join(this.folder, path))) this.add('missing file', path);
    else if (sha256(readListed(this.folder, path)) !== expected) this.add('file', path);
  }

  /** All arrays that the manifest has of a layer and an image. */
  compare(
    layer: ManifestLayer,
    made: readonly LayerArray['array'][],
    image: number | undefined,
  ): void {
    const byName = new Map(made.map((array) => [array.name, array]));
    for (const array of layer.arrays.filter((one) => one.image === image)) {
      const again = byName.get(array.name);
      this.arrays++;
      this.values += again?.data.length ?? 0;
      if (again !== undefined && hashOfNumbers(again.data) === array.sha256) continue;
      this.add('array', `${layer.folder}/${array.name}`, this.explained(layer, array, again));
    }
  }

  /** The first number that differs, where the array was written as .npy. */
  private explained(
    layer: ManifestLayer,
    array: ManifestArray,
    again: LayerArray['array'] | undefined,
  ): Partial<VerifyDifference> {
    const facts = { layer: layer.name, array: array.name, axes: array.axes };
    const npy = array.files.find(({ format }) => format === 'npy');
    if (npy === undefined || again === undefined || !kindOf(join(this.folder, npy.path)))
      return facts;
    const { data } = readNpy(readListed(this.folder, npy.path), npy.path);
    const at = Array.from<unknown>(data as ArrayLike<unknown>).findIndex(
      (value, i) => value !== again.data[i],
    );
    if (at < 0) return facts;
    const position = positionOf(at, array.shape);
    return { ...facts, position, expected: String(data[at]), got: String(again.data[at]) };
  }
}

function positionOf(index: number, shape: readonly number[]): number[] {
  let rest = index;
  return [...shape]
    .reverse()
    .map((size) => {
      const at = rest % size;
      rest = Math.floor(rest / size);
      return at;
    })
    .reverse();
}
