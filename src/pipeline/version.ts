// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of the installed package; the same distance from src/ and from dist/. */
export const packageFolder = join(__dirname, '../..');

/** lastbit's own version. */
export const version = (
  JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string }
).version;
