// SPDX-License-Identifier: Apache-2.0
// node test/cli/from-source.cjs ARGS...: the command line from its TypeScript source, for tests
// that need a process of its own.
const { join } = require('node:path');
require('../typescript-source.cjs');
require(join(__dirname, '../../src/cli/main.ts'));
