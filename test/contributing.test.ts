// SPDX-License-Identifier: Apache-2.0
// CONTRIBUTING.md and the NOTES.md files name the folders that there are.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { filesOf, foldersOf, layerOf, native, source } from './layering.js';

const root = join(__dirname, '..');
const contributing = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');

/** Folders of the rows `| src/name/ | what it is for |`, in their order. */
function listed(top: 'src' | 'native'): readonly string[] {
  const row = new RegExp(`^\\| \`${top}/([\\w/-]+)/\` \\| [^|]{10,} \\|$`, 'gm');
  return [...contributing.matchAll(row)].map(([, name]) => name!);
}

describe.each([
  ['src', source],
  ['native', native],
] as const)('CONTRIBUTING.md lists %s/', (top, layering) => {
  test('with every folder, and none that is missing', () => {
    // A folder whose inner folders all have places of their own is listed by these.
    const layers = new Set(filesOf(layering).map((file) => layerOf(layering, file)));
    const folders = foldersOf(layering).filter(
      (name) => layers.has(name) || !foldersOf(layering).some((f) => f.startsWith(`${name}/`)),
    );
    expect([...listed(top)].sort()).toEqual([...folders].sort());
  });

  test('lowest first', () => {
    const rank = (name: string) => layering.ranks.findIndex((layers) => layers.includes(name));
    const order = listed(top).filter((name) => rank(name) >= 0);
    expect(order).toEqual([...order].sort((a, b) => rank(a) - rank(b)));
  });
});

/** First folders of paths in other projects, and of what a test makes. */
const foreign = ['fixedpoint', 'tensorflow', 'out'];

const notes = [
  'CONTRIBUTING.md',
  ...filesOf({ ...source, endings: ['NOTES.md'] }).map((name) => `src/${name}`),
  ...filesOf({ ...native, endings: ['NOTES.md'] }).map((name) => `native/${name}`),
];

test.each(notes)('paths in %s exist', (file) => {
  const text = readFileSync(join(root, file), 'utf8');
  const paths = [...text.matchAll(/`([\w.-]+(?:\/[\w.-]*)+)`/g)].map(([, path]) => path!);
  const places = ['', 'src', 'native', dirname(file)].map((place) => join(root, place));
  const missing = paths.filter((path) => !places.some((place) => existsSync(join(place, path))));
  expect(missing.filter((path) => !foreign.includes(path.split('/')[0]!))).toEqual([]);
});
