// SPDX-License-Identifier: Apache-2.0
// node test/queue/worker.cjs URL NAME: a worker in a process of its own, which says after each range of
// images that it is done with it. Its locks are short, so that others soon take over what it leaves.
const { join } = require('node:path');
require('../typescript-source.cjs');
const { serveEvaluations } = require(join(__dirname, '../../src/pipeline/serve-evaluations.ts'));

const [, , queue, name] = process.argv;
const onShard = ({ start }) => process.stdout.write(`${start}\n`);
void serveEvaluations({ queue, name, threads: 1, lockSeconds: 1, onShard });
