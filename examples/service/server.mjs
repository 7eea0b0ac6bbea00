// SPDX-License-Identifier: Apache-2.0
// node examples/service/server.mjs MODEL [PORT]: POST an image, get its five best classes as JSON.
// Worker threads keep the event loop free; each has an engine of its own, so images run side by side.
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

const [model, port = '8080'] = process.argv.slice(2);
if (model === undefined) {
  console.error('usage: node examples/service/server.mjs MODEL [PORT]');
  process.exit(2);
}
const maxBytes = 16 * 2 ** 20;

const workers = Array.from(
  { length: availableParallelism() },
  () => new Worker(new URL('worker.mjs', import.meta.url), { workerData: { model } }),
);
/** Requests under way, by number. */
const waiting = new Map();
let requests = 0;
for (const worker of workers) {
  worker.on('message', ({ id, status, body }) => {
    waiting.get(id)?.(status, body);
    waiting.delete(id);
  });
  // A model that cannot be loaded ends the service with its one line.
  worker.on('error', (error) => {
    console.error(error.message);
    process.exit(3);
  });
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  if (request.method !== 'POST') return answer(405, { error: 'POST an image' });
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBytes) return answer(413, { error: `images have at most ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  const id = requests++;
  waiting.set(id, answer);
  workers[id % workers.length].postMessage({ id, bytes: Buffer.concat(chunks) });
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
