#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
import { cleanUpOnSignals } from './interrupt.js';
import { runCli } from './run-cli.js';
import { processTerminal } from './terminal.js';

cleanUpOnSignals();
// The exit code is set, not forced: what is still being written gets out.
void runCli(process.argv.slice(2), processTerminal()).then((code) => {
  process.exitCode = code;
});
