// SPDX-License-Identifier: Apache-2.0
// package.json as it is published. The repository's own is for a checkout, which builds from source: it has
// an install script, and names no engine packages, since no registry need have them.

/** Fields of the repository's package.json that mean something to users of the package. */
const kept = [
  'name',
  'version',
  'description',
  'license',
  'type',
  'main',
  'types',
  'exports',
  'bin',
  'engines',
  'dependencies',
  'peerDependencies',
  'peerDependenciesMeta',
];

/** @param {{ name: string }} platform */
function enginePackage(platform) {
  return `@lastbit/engine-${platform.name}`;
}

/**
 * The manifest of the package `lastbit`: no scripts at all, and the engine of each platform as an optional
 * dependency of exactly this version, since an engine and the TypeScript that drives it are one program.
 *
 * @param {Record<string, any>} repository package.json of the repository
 * @param {readonly { name: string }[]} platforms those that there are engines for
 * @param {readonly string[]} bundled dependencies that are compiled in
 */
function publishedManifest(repository, platforms, bundled) {
  const manifest = Object.fromEntries(
    kept.filter((key) => key in repository).map((key) => [key, repository[key]]),
  );
  manifest.dependencies = Object.fromEntries(
    Object.entries(repository.dependencies).filter(([name]) => !bundled.includes(name)),
  );
  manifest.optionalDependencies = Object.fromEntries(
    platforms.map((platform) => [enginePackage(platform), repository.version]),
  );
  return manifest;
}

/**
 * The manifest of one engine: package managers install it only where `os`, `cpu` and `libc` fit.
 *
 * @param {Record<string, any>} repository package.json of the repository
 * @param {import('./platforms.cjs').Platform} platform
 */
function engineManifest(repository, platform) {
  return {
    name: enginePackage(platform),
    version: repository.version,
    description: `The native engine of lastbit for ${platform.name}`,
    license: repository.license,
    main: 'lastbit.node',
    files: ['lastbit.node'],
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc === undefined ? {} : { libc: [platform.libc] }),
    engines: repository.engines,
  };
}

module.exports = { enginePackage, publishedManifest, engineManifest };
