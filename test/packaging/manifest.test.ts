// SPDX-License-Identifier: Apache-2.0
// What `npm run package` would publish, without building it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareVersions, newestGlibc, platformOf } from '../../native/package/binary.cjs';
import { bundledPackages } from '../../native/package/bundle.cjs';
import { engineManifest, publishedManifest } from '../../native/package/manifest.cjs';
import { hostPlatform, platforms } from '../../native/package/platforms.cjs';
import { enginePackageName, findEngine, thisHost } from '../../src/engine/find-engine.js';

const root = join(__dirname, '../..');
const repository = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};
const published = publishedManifest(repository, platforms, bundledPackages);

test('what is published runs nothing and needs no compiler', () => {
  expect(published).not.toHaveProperty('scripts');
  expect(published).not.toHaveProperty('gypfile');
  expect(published).not.toHaveProperty('devDependencies');
  expect(published).not.toHaveProperty('private');
  const dependencies = Object.keys(published.dependencies);
  for (const compiling of ['cmake-js', 'node-addon-api', 'node-api-headers', 'node-gyp-build']) {
    expect(dependencies).not.toContain(compiling);
  }
  // Each dependency of what is published, and what they depend on, as the lock file has them.
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<
      Record<string, { dependencies?: Record<string, string>; hasInstallScript?: boolean }>
    >;
  };
  const reached = new Set<string>();
  const open = [...dependencies];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    open.push(...Object.keys(lock.packages[`node_modules/${name}`]?.dependencies ?? {}));
  }
  const withScripts = [...reached].filter(
    (name) => lock.packages[`node_modules/${name}`]?.hasInstallScript,
  );
  expect(reached.size).toBeGreaterThan(dependencies.length);
  expect(withScripts).toEqual([]);
});

test('engines are optional dependencies of exactly this version', () => {
  expect(Object.keys(published.optionalDependencies)).toEqual([
    '@lastbit/engine-linux-x64-gnu',
    '@lastbit/engine-linux-x64-musl',
    '@lastbit/engine-linux-arm64-gnu',
    '@lastbit/engine-linux-arm64-musl',
    '@lastbit/engine-darwin-arm64',
    '@lastbit/engine-darwin-x64',
    '@lastbit/engine-win32-x64',
  ]);
  expect(new Set(Object.values(published.optionalDependencies))).toEqual(
    new Set([repository.version]),
  );
  expect(repository).not.toHaveProperty('optionalDependencies'); // npm ci could not find them
});

test.each(platforms)('the package of $name is installed only where it fits', (platform) => {
  const { os, cpu, libc, ...manifest } = engineManifest(repository, platform);
  expect([os, cpu]).toEqual([[platform.os], [platform.cpu]]);
  expect(libc).toEqual(platform.os === 'linux' ? [platform.libc] : undefined);
  expect(manifest).toMatchObject({ version: repository.version, main: 'lastbit.node' });
  expect(manifest).not.toHaveProperty('scripts');
  // The loader asks for it by this name.
  const host = { platform: platform.os, arch: platform.cpu, libc: platform.libc ?? null };
  expect(manifest.name).toBe(enginePackageName(host));
});

test('this machine is one of them', () => {
  const platform = hostPlatform();
  if (platform === undefined) return; // a platform without a package of its own
  expect(enginePackageName(thisHost())).toBe(`@lastbit/engine-${platform.name}`);
  const { path } = findEngine();
  expect(existsSync(path)).toBe(true);
  expect(platformOf(readFileSync(path))).toEqual({ os: platform.os, cpu: platform.cpu });
});

describe('headers of binaries', () => {
  test('name system and processor', () => {
    const elf = Buffer.alloc(64);
    elf.writeUInt32BE(0x7f454c46, 0);
    elf.writeUInt16LE(183, 18);
    expect(platformOf(elf)).toEqual({ os: 'linux', cpu: 'arm64' });
    const macho = Buffer.alloc(64);
    macho.writeUInt32LE(0xfeedfacf, 0);
    macho.writeUInt32LE(0x01000007, 4);
    expect(platformOf(macho)).toEqual({ os: 'darwin', cpu: 'x64' });
    const pe = Buffer.alloc(128);
    pe.write('MZ');
    pe.writeUInt32LE(64, 0x3c);
    pe.write('PE', 64);
    pe.writeUInt16LE(0x8664, 68);
    expect(platformOf(pe)).toEqual({ os: 'win32', cpu: 'x64' });
    expect(() => platformOf(Buffer.alloc(64))).toThrow('neither ELF, Mach-O nor PE');
  });

  test('the newest glibc, by numbers and not by letters', () => {
    expect(newestGlibc(Buffer.from('GLIBC_2.9\0GLIBC_2.28\0GLIBC_2.2.5\0'))).toBe('2.28');
    expect(newestGlibc(Buffer.from('GLIBCXX_3.4\0'))).toBeUndefined();
    expect(compareVersions('2.28', '2.28')).toBe(0);
    expect(compareVersions('2.28', '2.28.1')).toBeLessThan(0);
  });
});
