// SPDX-License-Identifier: Apache-2.0
import type { OptionalPackage } from '../optional-package.js';

export type Runtime = typeof import('onnxruntime-node');

/** Runs float models, and onnxruntime's own int8 ones; an optional peer of lastbit. */
export const onnxruntime: OptionalPackage<Runtime> = {
  name: 'onnxruntime-node',
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only when used
  load: () => require('onnxruntime-node') as Runtime,
  install: 'npm install onnxruntime-node',
};

/** The runtime's own version, of the package for Node where it says so. */
export function runtimeVersion({ env }: Runtime): string {
  return env.versions.node ?? env.versions.common;
}
