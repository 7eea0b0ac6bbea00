// SPDX-License-Identifier: Apache-2.0
import type { CommandSpec } from '../command.js';
import { analyzeCommand } from './analyze.js';
import { benchCommand } from './bench.js';
import { compareCommand } from './compare.js';
import { compareDumpCommand } from './compare-dump.js';
import { completionCommandOf } from './completion.js';
import { convertCommand } from './convert.js';
import { demoCommand } from './demo.js';
import { diffCommand } from './diff.js';
import { doctorCommand } from './doctor.js';
import { evaluateCommand } from './evaluate.js';
import { experimentCommand } from './experiment.js';
import { goldenCommand } from './golden.js';
import { inspectCommand } from './inspect.js';
import { proveCommand } from './prove.js';
import { quantizeCommand } from './quantize.js';
import { reportCommand } from './report.js';
import { runCommand } from './run.js';
import { schemaCommand } from './schema.js';
import { targetsCommand } from './targets.js';
import { verifyCommand } from './verify.js';
import { workerCommand } from './worker.js';

/** Every command, in the order of the help text. A new one is its file and a line here. */
export const commands: readonly CommandSpec[] = [
  inspectCommand,
  analyzeCommand,
  quantizeCommand,
  convertCommand,
  runCommand,
  compareCommand,
  diffCommand,
  compareDumpCommand,
  evaluateCommand,
  workerCommand,
  benchCommand,
  proveCommand,
  goldenCommand,
  verifyCommand,
  experimentCommand,
  reportCommand,
  targetsCommand,
  schemaCommand,
  demoCommand,
  doctorCommand,
  completionCommandOf(() => commands),
];
