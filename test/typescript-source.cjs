// SPDX-License-Identifier: Apache-2.0
// Loads TypeScript source as it is, for tests that need a process of their own.
const { readFileSync, existsSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');
const { transformSync } = require('@swc/core');

const options = {
  swcrc: false,
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  module: { type: 'commonjs' },
};
Module._extensions['.ts'] = (module, file) => {
  module._compile(
    transformSync(readFileSync(file, 'utf8'), { ...options, filename: file }).code,
    file,
  );
};
const resolve = Module._resolveFilename;
Module._resolveFilename = (request, parent, ...rest) => {
  const source = parent?.path && join(parent.path, request.replace(/\.js$/, '.ts'));
  const isSource = request.startsWith('.') && source?.endsWith('.ts') && existsSync(source);
  return isSource ? source : resolve(request, parent, ...rest);
};
