// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';

import { matchDump, type MatchedDump } from '../analyze/index.js';
import { modelFiles } from '../data/index.js';
import { ModelError, UsageError } from '../errors.js';
import { kindOf } from '../limits/read-file.js';
import type { CodeTensor } from '../program/executor.js';
import type { Program } from '../program/program.js';
import type { CompareDumpDocument, DumpLayer } from '../report/index.js';
import { notesOf, presetOf, programOf } from './choose-program.js';
import { openExecutor, trapFacts } from './executor.js';
import { explainDump } from './explain-dump.js';
import type { InputOptions } from './inputs.js';
import { openInputs, programInput } from './inputs.js';
import { loadQuantizedModel } from './load-model.js';
import { dumpEndings, readDump } from './read-dump.js';
import { evidenceOf } from './target-choice.js';

/** Options of `compare-dump`, as on the command line. */
export interface CompareDumpOptions extends Omit<InputOptions, 'images' | 'limit'> {
  /** Any quantized model. */
  readonly model: string;
  /** Folder of .npy, .bin, .mem or .hex files named after layers or tensors. */
  readonly dumps: string;
  readonly target?: string | undefined;
  readonly threads?: number | undefined;
}

/**
 * Compares what a device or a simulation wrote with a target, layer by layer.
 * @throws UsageError, ModelError; `no-dumps` where no file belongs to a layer
 */
export async function compareDump(options: CompareDumpOptions): Promise<CompareDumpDocument> {
  const model = await loadQuantizedModel(options.model, options);
  const program = programOf(model, options.target);
  const files = listFiles(options.dumps);
  const { byTensor, unmatched } = assign(files, program);
  if (byTensor.size === 0) {
    const [first] = program.ops;
    throw new ModelError(
      'no-dumps',
      options.dumps,
      `none of its ${files.length} files (${dumpEndings.join(', ')}) is named after a layer; expected names such as "${plainName(first!.name)}.npy" or "${plainName(program.tensors[first!.output]!.name)}.npy"`,
    );
  }
  const inputs = openInputs(programInput(program), presetOf(model), options);
  const executor = openExecutor(program, inputs.preprocessing, { threads: options.threads });
  try {
    for await (const sample of inputs.source) {
      inputs.note(sample);
      const result = await executor.run(sample, 'all');
      const taps = new Map(result.taps);
      const given = program.tensors[program.input]!;
      taps.set(given.name, { ...given, data: executor.codesOf(sample) });
      const compared = compareAll(program, taps, byTensor, options.dumps);
      const layers = compared.map(({ layer }) => layer);
      const first = compared.find(({ layer }) => layer.differing > 0);
      const named = program.ops.map((op) => program.tensors[op.output]!.name);
      return {
        model: options.model,
        models: modelFiles({ quantized: options.model }),
        target: program.target,
        evidence: evidenceOf(program.target, program.metadata),
        input: sample.name,
        first: first === undefined ? null : await explainedLayer(program, first, taps),
        layers,
        unmatched,
        missing: named.filter((name) => !byTensor.has(name)),
        notes: notesOf(model, program),
        ...trapFacts(result),
        ...inputs.facts(),
      };
    }
    throw new ModelError('no-input', options.input ?? '', 'there is no input to run');
  } finally {
    executor.close();
  }
}

/** A layer's result, and the codes that the dump holds, NHWC. */
interface ComparedLayer extends Pick<MatchedDump, 'codes'> {
  readonly layer: DumpLayer;
}

async function explainedLayer(
  program: Program,
  { layer, codes }: ComparedLayer,
  taps: ReadonlyMap<string, CodeTensor>,
): Promise<NonNullable<CompareDumpDocument['first']>> {
  const input = taps.get(program.tensors[program.input]!.name)!.data;
  const explanation = await explainDump(program, layer.name, input, taps, codes);
  return explanation === undefined ? layer : { ...layer, explanation };
}

function compareAll(
  program: Program,
  taps: ReadonlyMap<string, CodeTensor>,
  byTensor: ReadonlyMap<string, string>,
  folder: string,
): ComparedLayer[] {
  const places = [
    { name: program.tensors[program.input]!.name, op: 'input' as const, tensor: program.input },
    ...program.ops.map(({ name, op, output }) => ({ name, op, tensor: output })),
  ];
  return places.flatMap(({ name, op, tensor: index }): ComparedLayer[] => {
    const tensor = program.tensors[index]!;
    const file = byTensor.get(tensor.name);
    const own = taps.get(tensor.name);
    if (file === undefined || own === undefined) return [];
    const path = join(folder, file);
    const dumps = readDump(path, own);
    const [matched] = dumps
      .flatMap((dump) => {
        const found = matchDump(dump, own);
        return found === undefined ? [] : [{ ...found, dtype: dump.dtype }];
      })
      .sort((a, b) => a.match.differing - b.match.differing);
    if (matched) {
      const { match, codes, dtype } = matched;
      return [{ layer: { name, op, file, dtype, ...match }, codes }];
    }
    const dump = dumps[0]!;
    const { height, width, channels } = own;
    throw new ModelError(
      'dump-size',
      path,
      `expected ${own.data.length} numbers for layer "${name}" (${height} x ${width} x ${channels}), got ${dump.values.length}${dump.shape ? ` ([${dump.shape.join(', ')}])` : ''}; dump one image of this layer`,
    );
  });
}

/** Which file belongs to which tensor, by the names of tensors and operations. */
function assign(
  files: readonly string[],
  program: Program,
): { byTensor: Map<string, string>; unmatched: string[] } {
  const tensors = new Map<string, string>();
  // Ends of long names that several tensors share tell none of them.
  const shared = new Set<string>();
  const claim = (name: string, tensor: string): void => {
    const first = name.split(';')[0]!;
    for (const key of [name, wholeName(name), wholeName(first)]) {
      if (!tensors.has(key.toLowerCase())) tensors.set(key.toLowerCase(), tensor);
    }
    for (const key of [plainName(name), plainName(first)].map((end) => end.toLowerCase())) {
      if ((tensors.get(key) ?? tensor) !== tensor) shared.add(key);
      else tensors.set(key, tensor);
    }
  };
  const find = (key: string): string | undefined =>
    shared.has(key) && key.length >= mostNamed ? undefined : tensors.get(key);
  const outputs = [program.input, ...program.ops.map(({ output }) => output)];
  for (const index of outputs) claim(program.tensors[index]!.name, program.tensors[index]!.name);
  for (const op of program.ops) claim(op.name, program.tensors[op.output]!.name);
  const byTensor = new Map<string, string>();
  const unmatched: string[] = [];
  for (const file of files) {
    const base = file.slice(0, -extname(file).length).toLowerCase();
    // `lastbit run --out` puts a number before the name.
    const bare = base.replace(/^\d{3}-/, '');
    const tensor = find(base) ?? find(bare) ?? find(plainName(bare));
    if (tensor === undefined) unmatched.push(file);
    else if (byTensor.has(tensor)) {
      throw new UsageError(
        'two-dumps',
        file,
        `"${byTensor.get(tensor)!}" is a dump of "${tensor}" as well; leave one of them`,
      );
    } else byTensor.set(tensor, file);
  }
  return { byTensor, unmatched };
}

/** Characters of a name in a file of `lastbit run --out`: its last ones. */
const mostNamed = 80;

/** As `lastbit run --out` names files. */
function plainName(name: string): string {
  return wholeName(name).slice(-mostNamed);
}

/** With what file systems may refuse replaced, at any length. */
function wholeName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '_').replace(/^_+|_+$/g, '');
}

function listFiles(folder: string): string[] {
  if (kindOf(folder) !== 'folder') {
    throw new UsageError(
      'no-such-folder',
      folder,
      'expected a folder of dumps (.npy, .bin, .mem, .hex)',
    );
  }
  return readdirSync(folder)
    .filter((name) => dumpEndings.includes(extname(name).toLowerCase()))
    .sort();
}
