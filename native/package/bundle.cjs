// SPDX-License-Identifier: Apache-2.0
// The protobuf library is compiled into the one module that uses it. As a dependency it would bring an install
// script, which pnpm takes for an error, and 22 MB of its own command line.
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const { join, relative } = require('node:path');
const esbuild = require('esbuild');

const root = join(__dirname, '../..');

/** Packages that are compiled in, and so are no dependencies of what is published. */
const bundledPackages = ['onnx-proto', 'protobufjs'];

/** Relative imports of the module itself stay what they are. */
function ownImportsStay(entry) {
  return {
    name: 'own-imports-stay',
    setup: (build) => {
      build.onResolve({ filter: /^\.\.?\// }, ({ path, importer }) =>
        importer === entry ? { path, external: true } : undefined,
      );
    },
  };
}

/**
 * Replaces a compiled module by one that has the packages it needs inside.
 *
 * @param {string} file below a folder that has no node_modules; the checkout's are used
 * @returns {Promise<{ what: string, text: string }[]>} the licence of each package that got in
 */
async function bundleInto(file) {
  const { metafile } = await esbuild.build({
    entryPoints: [file],
    outfile: file,
    allowOverwrite: true,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    nodePaths: [join(root, 'node_modules')],
    // protobufjs asks for it at run time, by a name that no bundler sees.
    external: ['long'],
    plugins: [ownImportsStay(file)],
    metafile: true,
    absWorkingDir: root,
    logLevel: 'error',
    logOverride: { 'direct-eval': 'silent' },
  });
  const packages = Object.keys(metafile.inputs)
    .map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter((name) => name !== undefined);
  return [...new Set(packages)].sort().map(licenceOf);
}

/** The licence that a package of the checkout carries. */
function licenceOf(name) {
  const folder = join(root, 'node_modules', name);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined || !existsSync(join(folder, file))) {
    throw new Error(`${relative(root, folder)} has no licence to pass on`);
  }
  return { what: name, text: readFileSync(join(folder, file), 'utf8') };
}

module.exports = { bundleInto, bundledPackages, licenceOf };
