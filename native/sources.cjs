// SPDX-License-Identifier: Apache-2.0
// Prints the native sources, one path a line, for binding.gyp; CMakeLists.txt reads the list itself.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

for (const line of readFileSync(join(__dirname, 'sources.txt'), 'utf8').split('\n')) {
  if (line === '' || line.startsWith('#')) continue;
  const match = /^(?:core|addon) +(\S+)$/.exec(line);
  if (match === null)
    throw new Error(`native/sources.txt: expected "core PATH" or "addon PATH", got "${line}"`);
  console.log(match[1]);
}
