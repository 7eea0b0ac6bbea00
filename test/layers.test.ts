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
  ['onnx/file', 'tflite', 'passes', 'targets', 'data'],
  ['onnx/float', 'onnx/write'],
  ['onnx/quantized'],
  ['float', 'calibrate'],
  ['quantize'],
  ['program'],
  ['prove', 'engine', 'export-integer'],
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
  /** The imported file. */
  readonly imported: string;
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
  return specifiers.map(([, path]) => {
    const imported = join(dirname(file), path!);
    return {
      file: relative(source, file),
      from: layerOf(file),
      to: layerOf(imported),
      imported: relative(source, imported).replace(/\.js$/, '.ts'),
    };
  });
}

/** Files that import each other, however far around, one list a circle; imports of types count. */
function circles(arrows: readonly Arrow[]): string[][] {
  const imports = new Map<string, string[]>();
  for (const { file, imported } of arrows) {
    imports.set(file, [...(imports.get(file) ?? []), imported]);
  }
  const reached = new Map([...imports.keys()].map((file) => [file, reachable(imports, file)]));
  const around = [...reached].filter(([file, others]) => others.has(file)).map(([file]) => file);
  const found = around.map((file) =>
    around.filter((other) => reached.get(file)!.has(other) && reached.get(other)!.has(file)),
  );
  return [...new Map(found.map((circle) => [circle.join(), circle])).values()];
}

function reachable(imports: ReadonlyMap<string, readonly string[]>, from: string): Set<string> {
  const seen = new Set<string>();
  const open = [from];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const next of imports.get(file) ?? []) {
      if (!seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return seen;
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

test('no files import each other in a circle', () => {
  const arrows = files.flatMap((file) => arrowsOf(file, readFileSync(file, 'utf8')));
  expect(circles(arrows)).toEqual([]);
});

test('the check of circles finds one, and not what only leads to it', () => {
  const texts = {
    'a.ts': "import './b.js';",
    'b.ts': "import type { C }\n  from './inner/c.js';",
    'inner/c.ts': "export * from '../a.js';",
    'd.ts': "import { a } from './a.js';",
    'e.ts': "import { d } from './d.js';",
  };
  const arrows = Object.entries(texts).flatMap(([name, text]) =>
    arrowsOf(join(source, name), text),
  );
  expect(circles(arrows)).toEqual([['a.ts', 'b.ts', 'inner/c.ts']]);
});

test('the check itself finds an arrow upward, in every form of import', () => {
  const file = join(source, 'data/example.ts');
  const texts = [
    "import { lower } from '../program/lower.js';",
    "import type { Engine }\n  from '../engine/engine.js';",
    "export * from '../onnx/file/reader.js';",
    "const x = await import('../cli/main.js');",
    "const y = require('../pipeline.js');",
  ];
  expect(texts.flatMap((text) => faults(arrowsOf(file, text)))).toEqual([
    'data/example.ts imports program',
    'data/example.ts imports engine',
    'data/example.ts imports onnx/file',
    'data/example.ts imports cli',
    'data/example.ts imports pipeline',
  ]);
  expect(faults(arrowsOf(file, "import { ModelError } from '../errors.js';"))).toEqual([]);
});
