// SPDX-License-Identifier: Apache-2.0
// The order of the folders of src/ and native/, and the imports and includes between their files.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Folders and files of one language with their order. */
export interface Layering {
  readonly root: string;
  /**
   * Folders, or single files without their ending, lowest first; those of one line do not know each
   * other. A folder within a folder, or a file, that stands here has a place of its own.
   */
  readonly ranks: readonly (readonly string[])[];
  /** Endings of the files that are read. */
  readonly endings: readonly string[];
  /** The paths from the root of what a file names. */
  readonly named: (file: string, text: string) => readonly string[];
}

/** One file that names another. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
}

/** src/: import, export-from, dynamic import and require of relative paths, types included. */
export const source: Layering = {
  root: join(__dirname, '../src'),
  ranks: [
    ['errors'],
    ['limits', 'optional-package'],
    ['numeric'],
    ['graph'],
    ['onnx/file', 'tflite', 'passes', 'targets', 'data'],
    ['onnx/float', 'onnx/write'],
    ['onnx/quantized'],
    ['float', 'calibrate'],
    ['quantize'],
    ['program'],
    ['prove', 'engine', 'export-integer'],
    ['analyze'],
    ['golden', 'evaluate', 'bench'],
    ['experiment', 'queue'],
    ['report'],
    ['pipeline'],
    ['index'],
    ['cli'],
  ],
  endings: ['.ts'],
  named: (file, text) =>
    [...text.matchAll(/(?:from|import|require)\s*\(?\s*'(\.[^']+)'/g)].map(([, path]) =>
      join(dirname(file), path!).replace(/\.js$/, '.ts'),
    ),
};

/** native/: includes are rooted there. */
export const native: Layering = {
  root: join(__dirname, '../native'),
  ranks: [
    // A view is a pointer and its sizes; isa/ opens and closes regions of one instruction set.
    ['numeric', 'cpu', 'memory', 'threads', 'kernels/isa'],
    ['program'],
    ['kernels'],
    ['exec'],
    ['solve'],
    ['addon'],
  ],
  endings: ['.h', '.cc', '.inc'],
  named: (_, text) => [...text.matchAll(/#include\s+"([^"]+)"/g)].map(([, path]) => path!),
};

/** The name with a rank that a file belongs to; without one, its first folder or its own name. */
export function layerOf({ ranks }: Layering, file: string): string {
  const known = new Set(ranks.flat());
  const parts = file.replace(/\.\w+$/, '').split('/');
  const names = parts.map((_, i) => parts.slice(0, i + 1).join('/')).reverse();
  return names.find((name) => known.has(name)) ?? parts[0]!;
}

/** Paths from the root. */
export function filesOf({ root, endings }: Layering): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    endings.some((ending) => name.endsWith(ending)),
  );
}

/** What the files name, as far as it has a place in the order. */
export function arrowsOf(layering: Layering): readonly Arrow[] {
  return filesOf(layering).flatMap((file) =>
    arrowsFrom(layering, file, readFileSync(join(layering.root, file), 'utf8')),
  );
}

/** What one file with this text would name. */
export function arrowsFrom(layering: Layering, file: string, text: string): readonly Arrow[] {
  return layering.named(file, text).map((to) => ({ from: file, to }));
}

/** Arrows that do not lead to the same place or downward. */
export function faults(layering: Layering, arrows: readonly Arrow[]): readonly string[] {
  const rank = (layer: string): number =>
    layering.ranks.findIndex((layers) => layers.includes(layer));
  return arrows
    .map(({ from, to }) => ({ from, own: layerOf(layering, from), to: layerOf(layering, to) }))
    .filter(({ own, to }) => own !== to && !(rank(to) >= 0 && rank(to) < rank(own)))
    .map(({ from, to }) => `${from} names ${to}`);
}

/** Files that name each other, however far around, one list a circle. */
export function circles(arrows: readonly Arrow[]): readonly (readonly string[])[] {
  const named = new Map<string, string[]>();
  for (const { from, to } of arrows) named.set(from, [...(named.get(from) ?? []), to]);
  const reached = new Map([...named.keys()].map((file) => [file, reachable(named, file)]));
  const around = [...reached].filter(([file, others]) => others.has(file)).map(([file]) => file);
  const found = around.map((file) =>
    around.filter((other) => reached.get(file)!.has(other) && reached.get(other)!.has(file)),
  );
  return [...new Map(found.map((circle) => [circle.join(), circle])).values()];
}

function reachable(named: ReadonlyMap<string, readonly string[]>, from: string): Set<string> {
  const seen = new Set<string>();
  const open = [from];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const next of named.get(file) ?? []) {
      if (!seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return seen;
}

/** Folders directly under the root, with those inside that have a rank of their own. */
export function foldersOf({ root, ranks }: Layering): readonly string[] {
  const folders = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return folders.filter((name) => !name.includes('/') || ranks.flat().includes(name));
}
