// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of the installed package; the same distance from src/ and from dist/. */
export const packageFolder = join(__dirname, '../..');

/** What lastbit reads of its own package.json. */
export interface OwnManifest {
  readonly version: string;
  /** Of a published package: the engine of each platform. A checkout has none. */
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The package.json of the lastbit in a folder. */
export function manifestIn(folder: string): OwnManifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as OwnManifest;
}

/** lastbit's own version. */
export const version: string = manifestIn(packageFolder).version;
