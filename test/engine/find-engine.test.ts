// SPDX-License-Identifier: Apache-2.0
// Which engine is loaded, and what is said where there is none. Installations are laid out in a folder.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  enginePackageName,
  findEngine,
  type Host,
  loadEngine,
} from '../../src/engine/find-engine.js';
import { UsageError } from '../../src/errors.js';

const scratch = mkdtempSync(join(tmpdir(), 'lastbit-find-engine-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

let count = 0;

/** A project with lastbit in its node_modules, and files of others beside it. */
function installation(manifest: object, files: Readonly<Record<string, string>> = {}): string {
  const project = join(scratch, String((count += 1)));
  const folder = join(project, 'node_modules/lastbit');
  const all = { 'lastbit/package.json': JSON.stringify(manifest), ...files };
  for (const [name, text] of Object.entries(all)) {
    const file = join(project, 'node_modules', name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}

const glibc: Host = { platform: 'linux', arch: 'x64', libc: 'glibc' };
const musl: Host = { ...glibc, libc: 'musl' };
const engine = '@lastbit/engine-linux-x64-gnu';
const published = { version: '1.2.3', optionalDependencies: { [engine]: '1.2.3' } };
const installed = (version: string) => ({
  [`${engine}/package.json`]: JSON.stringify({ name: engine, version }),
  [`${engine}/lastbit.node`]: '',
});

/** The message of the UsageError that an action throws. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error('nothing was thrown');
}

test('names of packages', () => {
  expect(enginePackageName(glibc)).toBe(engine);
  expect(enginePackageName(musl)).toBe('@lastbit/engine-linux-x64-musl');
  const windows: Host = { platform: 'win32', arch: 'x64', libc: null };
  expect(enginePackageName(windows)).toBe('@lastbit/engine-win32-x64');
});

test('the variable goes before the build, the build before the package', () => {
  const folder = installation(published, {
    ...installed('1.2.3'),
    'lastbit/build/Release/lastbit.node': '',
    'mine.node': '',
  });
  const mine = join(folder, '../mine.node');
  expect(findEngine(folder, glibc, mine)).toEqual({ path: mine, from: 'LASTBIT_ENGINE' });
  const built = join(folder, 'build/Release/lastbit.node');
  expect(findEngine(folder, glibc, '')).toEqual({ path: built, from: 'build' });
  rmSync(built);
  expect(findEngine(folder, glibc, '')).toEqual({
    path: join(folder, `../${engine}/lastbit.node`),
    from: 'package',
    package: `${engine}@1.2.3`,
  });
});

describe('one line with the way out', () => {
  test('for a file that is not there', () => {
    const folder = installation(published);
    expect(refusal(() => findEngine(folder, glibc, '/no/such.node'))).toBe(
      '[no-addon] LASTBIT_ENGINE: there is no file "/no/such.node"',
    );
  });

  test('for a checkout that was not built', () => {
    const folder = installation({ version: '1.2.3' });
    expect(refusal(() => findEngine(folder, glibc, ''))).toMatch(
      /^\[no-addon\] build\/Release\/lastbit\.node: .*"npm run build:native"/,
    );
  });

  test('for a platform without a package', () => {
    const folder = installation(published, installed('1.2.3'));
    const risc: Host = { ...glibc, arch: 'riscv64' };
    expect(refusal(() => findEngine(folder, risc, ''))).toMatch(
      /^\[no-addon\] linux-riscv64-gnu: .*only for linux-x64-gnu; build it in a checkout .*LASTBIT_ENGINE/,
    );
    expect(refusal(() => findEngine(folder, musl, ''))).toMatch(/^\[no-addon\] linux-x64-musl: /);
  });

  test('for a package that was left out', () => {
    const folder = installation(published);
    expect(refusal(() => findEngine(folder, glibc, ''))).toMatch(
      /^\[no-addon\] @lastbit\/engine-linux-x64-gnu: .*run: npm install @lastbit\/engine-linux-x64-gnu@1\.2\.3$/,
    );
  });

  test('for a package of another version', () => {
    const folder = installation(published, installed('1.2.2'));
    expect(refusal(() => findEngine(folder, glibc, ''))).toMatch(
      /^\[addon-version\] @lastbit\/engine-linux-x64-gnu: expected version 1\.2\.3 .*got 1\.2\.2; run: npm install /,
    );
  });

  test('for an engine that does not load', () => {
    const path = join(scratch, 'empty.node');
    writeFileSync(path, 'no library');
    const message = refusal(() => loadEngine({ path, from: 'LASTBIT_ENGINE' }));
    expect(message).toMatch(
      /^\[no-addon\] .*empty\.node: the native engine does not load here \(.*\); build it/,
    );
    expect(message).not.toContain('\n');
  });
});
