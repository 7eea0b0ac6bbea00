// SPDX-License-Identifier: Apache-2.0
// Packages that may be missing: what does not need them works without them.
import { UsageError } from './errors.js';

/** A package of the registry that is loaded where it is used. */
export interface OptionalPackage<Library> {
  readonly name: string;
  /** A `require` of it, written out, so that its name is seen by those who read imports. */
  readonly load: () => Library;
  /** The command that brings it. */
  readonly install: string;
}

/** The package, or in one line why it cannot be loaded. */
export function findPackage<Library>({
  load,
}: OptionalPackage<Library>): { readonly library: Library } | { readonly reason: string } {
  try {
    return { library: load() };
  } catch (error) {
    return { reason: (error instanceof Error ? error.message : String(error)).split('\n')[0]! };
  }
}

/**
 * The package, for a purpose that cannot do without.
 *
 * @param purpose the subject of a sentence: "the float reference"
 * @throws UsageError `missing-package` with the command that installs it
 */
export function needPackage<Library>(wanted: OptionalPackage<Library>, purpose: string): Library {
  const found = findPackage(wanted);
  if ('library' in found) return found.library;
  throw new UsageError(
    'missing-package',
    wanted.name,
    `${purpose} needs this package, and it cannot be loaded (${found.reason}); ` +
      `run: ${wanted.install}`,
  );
}
