// SPDX-License-Identifier: Apache-2.0
// The order of the source folders. A folder knows itself and folders before it, never one of its own
// rank or after it.
import {
  type Arrow,
  arrowsFrom,
  arrowsOf,
  circles,
  faults,
  filesOf,
  layerOf,
  native,
  source,
} from './layering.js';

describe.each([
  ['src', source],
  ['native', native],
])('%s', (_, layering) => {
  test('every folder has its place in the order', () => {
    const known = new Set(layering.ranks.flat());
    const layers = new Set(filesOf(layering).map((file) => layerOf(layering, file)));
    expect([...layers].filter((layer) => !known.has(layer))).toEqual([]);
  });

  test('files name what is below them only', () => {
    expect(faults(layering, arrowsOf(layering))).toEqual([]);
  });

  test('no files name each other in a circle', () => {
    expect(circles(arrowsOf(layering))).toEqual([]);
  });
});

test('imports and includes are found', () => {
  expect(arrowsOf(source).length).toBeGreaterThan(filesOf(source).length);
  expect(arrowsOf(native).length).toBeGreaterThan(filesOf(native).length);
});

test('an arrow upward is found, in every form of import', () => {
  const texts = [
    "import { lower } from '../program/lower.js';",
    "import type { Engine }\n  from '../engine/engine.js';",
    "export * from '../onnx/file/reader.js';",
    "const x = await import('../cli/main.js');",
    "const y = require('../pipeline.js');",
    "import { gone } from '../helpers/gone.js';",
    "import { ModelError } from '../errors.js';",
  ];
  const arrows = texts.flatMap((text) => arrowsFrom(source, 'data/example.ts', text));
  expect(faults(source, arrows)).toEqual([
    'data/example.ts names program',
    'data/example.ts names engine',
    'data/example.ts names onnx/file',
    'data/example.ts names cli',
    'data/example.ts names pipeline',
    'data/example.ts names helpers',
  ]);
});

test('an include upward is found, and a file with a place of its own', () => {
  const text =
    '#include <vector>\n#include "memory/view.h"\n  #include "kernels/conv/fast_conv.h"\n';
  expect(faults(native, arrowsFrom(native, 'program/example.h', text))).toEqual([
    'program/example.h names kernels',
  ]);
});

test('a circle is found, and not what only leads to it', () => {
  const texts = {
    'a.ts': "import './b.js';",
    'b.ts': "import type { C }\n  from './inner/c.js';",
    'inner/c.ts': "export * from '../a.js';",
    'd.ts': "import { a } from './a.js';",
  };
  const arrows: Arrow[] = Object.entries(texts).flatMap(([file, text]) =>
    arrowsFrom(source, file, text),
  );
  expect(circles(arrows)).toEqual([['a.ts', 'b.ts', 'inner/c.ts']]);
});
