// SPDX-License-Identifier: Apache-2.0
import type sharp from 'sharp';
import type { OptionalPackage } from '../optional-package.js';

/** Decodes and encodes image files; its native part for a platform is an optional dependency of its own. */
export const imageLibrary: OptionalPackage<typeof sharp> = {
  name: 'sharp',
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only when used
  load: () => require('sharp') as typeof sharp,
  install: 'npm install --include=optional sharp',
};

/** What the image library is needed for, as messages say it. */
export const imageFiles = 'reading and writing image files';
