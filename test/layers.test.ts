// SPDX-License-Identifier: Apache-2.0
// The import order of the source folders. A folder imports itself and folders before it, never one
// of its own rank or after it.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const source = join(__dirname, '../src');

/** Folders (or single files) of src/, lowest first; those of one line do not know each other. */
const ranks: readonly (readonly string[])[] = [
  ['errors'],
  ['numeric'],
  ['graph'],
  ['onnx', 'tflite', 'passes', 'targets', 'data'],
  ['float', 'calibrate'],
  ['quantize'],
  ['program'],
  ['prove', 'engine', 'onnx/integer-write'],
  ['analyze'],
  ['golden', 'evaluate', 'bench'],
  ['report'],
  ['pipeline'],
  ['index'],
  ['cli'],
];

const rankOf = new Map(ranks.flatMap((names, rank) => names.map((name) => [name, rank] as const)));

interface Arrow {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** The first folder of a path, or the first two where these have a place of their own. */
function layerOf(file: string): string {
  const [first, second] = relative(source, file).split('/');
  const inner = `${first!}/${second ?? ''}`;
  return rankOf.has(inner) ? inner : first!.replace(/\.(js|ts)$/, '');
}

/** Import, export-from, dynamic import and require of relative paths. */
function arrowsOf(file: string, text: string): Arrow[] {
  const specifiers = [...text.matchAll(/(?:from|import|require)\s*\(?\s*'(\.[^']+)'/g)];
  return specifiers.map(([, path]) => ({
    file: relative(source, file),
    from: layerOf(file),
    to: layerOf(join(dirname(file), path!)),
  }));
}

function faults(arrows: readonly Arrow[]): string[] {
  return arrows
    .filter(({ from, to }) => from !== to && !(rankOf.get(to)! < rankOf.get(from)!))
    .map(({ file, to }) => `${file} imports ${to}`);
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name));

test('every folder of src/ has its place in the order', () => {
  const unknown = new Set(files.map(layerOf).filter((layer) => !rankOf.has(layer)));
  expect([...unknown]).toEqual([]);
});

test('imports point downward only', () => {
  const arrows = files.flatMap((file) => arrowsOf(file, readFileSync(file, 'utf8')));
  // Fewer would mean that the pattern above no longer finds them.
  expect(arrows.length).toBeGreaterThan(files.length);
  expect(faults(arrows)).toEqual([]);
});

test('the check itself finds an arrow upward, in every form of import', () => {
  const file = join(source, 'data/example.ts');
  const texts = [
    "import { lower } from '../program/lower.js';",
    "import type { Engine }\n  from '../engine/engine.js';",
    "export * from '../onnx/reader.js';",
    "const x = await import('../cli/main.js');",
    "const y = require('../pipeline.js');",
  ];
  expect(texts.flatMap((text) => faults(arrowsOf(file, text)))).toEqual([
    'data/example.ts imports program',
    'data/example.ts imports engine',
    'data/example.ts imports onnx',
    'data/example.ts imports cli',
    'data/example.ts imports pipeline',
  ]);
  expect(faults(arrowsOf(file, "import { ModelError } from '../errors.js';"))).toEqual([]);
});
