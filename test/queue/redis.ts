// SPDX-License-Identifier: Apache-2.0
// A Redis server of a test's own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Whether Debian's redis-server (or another one of that name) is installed. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

export interface RedisServer {
  readonly url: string;
  /** Ends it; what it knew is gone. */
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

export async function startRedis(password: string): Promise<RedisServer> {
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const settings = ['--port', String(port), '--save', '', '--appendonly', 'no'];
    child = spawn('redis-server', [...settings, '--requirepass', password]);
    for await (const text of child.stdout!) {
      if (String(text).includes('Ready to accept connections')) return;
    }
    throw new Error('redis-server did not start');
  };
  await start();
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    start,
    stop: async () => {
      const ended = once(child!, 'exit');
      child!.kill();
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
