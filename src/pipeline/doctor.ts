// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { availableParallelism, freemem, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';

import { cpuName } from '../bench/machine.js';
import { imageFiles, imageLibrary } from '../data/image-library.js';
import { forcedIsa } from '../engine/engine.js';
import { findEngine, platformName, thisHost } from '../engine/find-engine.js';
import { native } from '../engine/native.js';
import { packageFolder, version } from '../engine/own-package.js';
import { LastbitError } from '../errors.js';
import { onnxruntime, runtimeVersion } from '../float/runtime.js';
import { findPackage, type OptionalPackage } from '../optional-package.js';
import type { DoctorCheck, DoctorDocument, DoctorEngine } from '../report/index.js';

/** Temporary programs and results of a large network fit in it with room to spare. */
const enoughMiB = 256;

/** Oldest Node that lastbit is tested on, as in package.json. */
const oldestNode = [20, 19] as const;

const mebi = 1024 * 1024;

/**
 * Looks at everything that lastbit stands on: the platform, the native engine and where it came from, the
 * optional packages, disk. It throws nothing: what is missing is a check that is not ok, with the way out.
 */
export function examineInstallation(): DoctorDocument {
  const engine = engineFacts();
  const checks = [
    nodeCheck(),
    ...('file' in engine ? [engineCheck(engine), isaCheck()] : [engine]),
    packageCheck(
      onnxruntime,
      'float models: calibration on images, `compare`, `evaluate --float`',
      (runtime) => runtimeVersion(runtime),
    ),
    packageCheck(imageLibrary, imageFiles, (sharp) => sharp.versions.sharp),
    demoCheck(),
    diskCheck('temporary folder', tmpdir()),
    diskCheck('working folder', process.cwd()),
  ];
  return {
    ok: checks.every(({ ok, required }) => ok || !required),
    lastbit: version,
    runtime:
      process.versions.bun === undefined
        ? `Node ${process.versions.node}`
        : `Bun ${process.versions.bun}`,
    platform: platformName(thisHost()),
    cpu: cpuName(),
    threads: availableParallelism(),
    memoryMiB: Math.round(totalmem() / mebi),
    freeMemoryMiB: Math.round(freemem() / mebi),
    engine: 'file' in engine ? engine : null,
    checks,
  };
}

/** The engine that loads, or the check that says why none does. */
function engineFacts(): DoctorEngine | DoctorCheck {
  try {
    const { tier, tiers } = native();
    const { path, from, package: name } = findEngine();
    return { file: path, from, package: name ?? null, best: tier, tiers };
  } catch (error) {
    return failed('native engine', 'none', error);
  }
}

function engineCheck({ file, from, package: name }: DoctorEngine): DoctorCheck {
  const found = name ?? (from === 'build' ? 'built in this checkout' : `${from}=${file}`);
  return { name: 'native engine', ok: true, required: true, found, wayOut: null };
}

/** Only where an instruction set is asked for by the environment, and there is an engine to ask it of. */
function isaCheck(): DoctorCheck {
  const name = 'LASTBIT_ISA';
  const wanted = process.env.LASTBIT_ISA ?? '';
  try {
    const forced = forcedIsa(undefined);
    const found = forced ?? 'not set: the best of this CPU';
    return { name, ok: true, required: true, found, wayOut: null };
  } catch (error) {
    return failed(name, wanted, error);
  }
}

function failed(name: string, found: string, error: unknown): DoctorCheck {
  const wayOut = error instanceof LastbitError ? error.detail : String(error);
  return { name, ok: false, required: true, found, wayOut };
}

function nodeCheck(): DoctorCheck {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const wayOut = ok ? null : `install Node ${oldestNode.join('.')} or newer`;
  return { name: 'Node', ok, required: true, found: process.versions.node, wayOut };
}

function packageCheck<Library>(
  wanted: OptionalPackage<Library>,
  purpose: string,
  versionOf: (library: Library) => string,
): DoctorCheck {
  const found = findPackage(wanted);
  const { name } = wanted;
  return 'library' in found
    ? { name, ok: true, required: false, found: versionOf(found.library), wayOut: null }
    : {
        name,
        ok: false,
        required: false,
        found: `none (${found.reason})`,
        wayOut: `for ${purpose}: ${wanted.install}`,
      };
}

function demoCheck(): DoctorCheck {
  const folder = join(packageFolder, 'models', 'fashion');
  const ok = existsSync(folder);
  return {
    name: 'embedded networks',
    ok,
    required: false,
    found: ok ? folder : 'none',
    wayOut: ok ? null : 'for `demo`: install lastbit again',
  };
}

function diskCheck(name: string, folder: string): DoctorCheck {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    const free = Math.floor((bavail * bsize) / mebi);
    const ok = free >= enoughMiB;
    const wayOut = ok ? null : `make room: ${enoughMiB} MiB should be free`;
    return { name, ok, required: false, found: `${folder}, ${free} MiB free`, wayOut };
  } catch (error) {
    const reason = (error as Error).message;
    return {
      name,
      ok: false,
      required: false,
      found: folder,
      wayOut: `it cannot be written (${reason}); choose another`,
    };
  }
}
