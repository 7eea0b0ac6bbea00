// SPDX-License-Identifier: Apache-2.0
// Where the native engine of this platform is. A checkout builds it; a published lastbit has a package for
// each platform among its optional dependencies, of which package managers install the one that fits.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { familySync } from 'detect-libc';
import { UsageError } from '../errors.js';
import { manifestIn, type OwnManifest, packageFolder } from './own-package.js';

/** What decides which engine fits. */
export interface Host {
  /** `process.platform` */
  readonly platform: string;
  /** `process.arch` */
  readonly arch: string;
  /** The C library of a Linux system. */
  readonly libc: 'glibc' | 'musl' | null;
}

/** A native engine that is there; whether it loads is another question. */
export interface EngineFile {
  readonly path: string;
  /** The variable LASTBIT_ENGINE, the build of a checkout, or an engine package. */
  readonly from: 'LASTBIT_ENGINE' | 'build' | 'package';
  /** Name and version, where it came in a package. */
  readonly package?: string;
}

/** How to get an engine where no package fits. */
const buildIt =
  'build it in a checkout of the repository ("npm ci", needs a C++17 compiler and CMake or make) and ' +
  'set LASTBIT_ENGINE to its build/Release/lastbit.node';

/** This process's platform. */
export function thisHost(): Host {
  const { platform, arch } = process;
  return { platform, arch, libc: platform === 'linux' ? linuxLibc() : null };
}

/** Of this process, where it says so itself: files of the system may speak of another C library beside. */
function linuxLibc(): 'glibc' | 'musl' {
  if (process.versions.bun !== undefined) return familySync() === 'musl' ? 'musl' : 'glibc';
  const { header } = process.report.getReport() as { readonly header: object };
  return 'glibcVersionRuntime' in header ? 'glibc' : 'musl';
}

/** The platform's name in the names of engine packages: `linux-x64-gnu`, `darwin-arm64`. */
export function platformName({ platform, arch, libc }: Host): string {
  return [platform, arch, ...(libc === null ? [] : [libc === 'glibc' ? 'gnu' : libc])].join('-');
}

/** The package that has the engine of a platform. */
export function enginePackageName(host: Host): string {
  return `@lastbit/engine-${platformName(host)}`;
}

/**
 * The engine to load: the file that LASTBIT_ENGINE names, else what was built in this checkout, else the
 * package of this platform.
 *
 * @param folder of lastbit itself
 * @param named the value of LASTBIT_ENGINE; empty is as if it were not set
 * @throws UsageError `no-addon` where there is none, `addon-version` where its package is not of lastbit's
 *   own version; the message says how to get it
 */
export function findEngine(
  folder: string = packageFolder,
  host: Host = thisHost(),
  named: string = process.env.LASTBIT_ENGINE ?? '',
): EngineFile {
  if (named !== '') return namedEngine(named);
  const built = join(folder, 'build', 'Release', 'lastbit.node');
  if (existsSync(built)) return { path: built, from: 'build' };
  return packagedEngine(folder, host, manifestIn(folder));
}

function namedEngine(path: string): EngineFile {
  if (existsSync(path)) return { path: resolve(path), from: 'LASTBIT_ENGINE' };
  throw new UsageError('no-addon', 'LASTBIT_ENGINE', `there is no file "${path}"`);
}

function packagedEngine(
  folder: string,
  host: Host,
  { version, optionalDependencies = {} }: OwnManifest,
): EngineFile {
  const name = enginePackageName(host);
  const published = Object.keys(optionalDependencies);
  if (published.length === 0) {
    throw new UsageError(
      'no-addon',
      'build/Release/lastbit.node',
      'this checkout has no engine yet; run "npm run build:native" in it ' +
        '(needs a C++17 compiler and cmake)',
    );
  }
  if (!published.includes(name)) {
    const others = published.map((each) => each.replace('@lastbit/engine-', '')).join(', ');
    throw new UsageError(
      'no-addon',
      platformName(host),
      `no engine is published for this platform, only for ${others}; ${buildIt}`,
    );
  }
  const manifest = resolved(folder, `${name}/package.json`);
  if (manifest === undefined) {
    throw new UsageError(
      'no-addon',
      name,
      'the engine of this platform is not installed (optional dependencies were left out, or ' +
        `node_modules was made on another platform); run: npm install ${name}@${version}`,
    );
  }
  const found = JSON.parse(readFileSync(manifest, 'utf8')) as OwnManifest;
  if (found.version !== version) {
    throw new UsageError(
      'addon-version',
      name,
      `expected version ${version} as lastbit's own, got ${found.version}; ` +
        `run: npm install ${name}@${version}`,
    );
  }
  return {
    path: join(dirname(manifest), 'lastbit.node'),
    from: 'package',
    package: `${name}@${found.version}`,
  };
}

/** A file of another package as seen from lastbit, or undefined. */
function resolved(folder: string, request: string): string | undefined {
  try {
    return createRequire(join(folder, 'package.json')).resolve(request);
  } catch {
    return undefined;
  }
}

/**
 * Loads an engine's file.
 *
 * @throws UsageError `no-addon` with the system's reason where it does not load
 */
export function loadEngine({ path }: EngineFile): unknown {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- addons have no other door
    return require(path);
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0] ?? '';
    throw new UsageError(
      'no-addon',
      path,
      `the native engine does not load here (${reason}); ${buildIt}`,
    );
  }
}
