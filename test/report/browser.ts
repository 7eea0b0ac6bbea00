// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';

/** Chromium of this machine, or of CHROMIUM; undefined where there is none. */
export const chromiumPath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));
