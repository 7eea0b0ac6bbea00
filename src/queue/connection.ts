// SPDX-License-Identifier: Apache-2.0
// The connection to Redis (or Valkey). The packages are loaded on first use: without a queue nobody needs them.
import type { Redis } from 'ioredis';

import { UsageError } from '../errors.js';

type BullMq = typeof import('bullmq');
type IoRedis = typeof import('ioredis');

/** BullMQ, and what opens its connections. */
export interface QueueLibrary {
  readonly bullmq: BullMq;
  /** A new connection; each queue and worker has its own. */
  readonly connect: () => Redis;
}

const firstTryMs = 5000;

/**
 * Checks that a server answers, once; later interruptions are waited through.
 * @param url redis://, or rediss:// for TLS; user and password may stand in it
 * @throws UsageError `missing-package`, `bad-value`, `queue-unreachable`
 */
export async function openQueueLibrary(url: string): Promise<QueueLibrary> {
  requireRedisUrl(url);
  const { Redis: Client } = load('ioredis') as IoRedis;
  const bullmq = load('bullmq') as BullMq;
  const probe = new Client(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: firstTryMs,
  });
  // The reason is in the rejection below; without a listener the event would be printed.
  let reason = '';
  probe.on('error', (error: Error) => {
    reason = error.message;
  });
  try {
    await probe.connect();
    await probe.ping();
  } catch (error) {
    throw unreachable(url, reason || (error as Error).message);
  } finally {
    // One that has ended already would keep the process waiting for its end.
    if (probe.status !== 'end') probe.disconnect();
  }
  return {
    bullmq,
    connect: () => {
      const client = new Client(url, { maxRetriesPerRequest: null });
      // It connects again by itself.
      client.on('error', () => undefined);
      return client;
    },
  };
}

function requireRedisUrl(url: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol === 'redis:' || protocol === 'rediss:') return;
  throw new UsageError(
    'bad-value',
    '--queue',
    'expected redis://HOST:PORT/DB, or rediss:// for TLS; a user and a password go before the host',
  );
}

/** Without the password that the URL may hold. */
function unreachable(url: string, reason: string): UsageError {
  const { protocol, host, pathname } = new URL(url);
  return new UsageError(
    'queue-unreachable',
    `${protocol}//${host}${pathname}`,
    `no Redis answers there (${reason}); start one, or mend the address, user or password`,
  );
}

function load(name: string): unknown {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only when used
    return require(name);
  } catch {
    throw new UsageError(
      'missing-package',
      name,
      'a queue needs this package, which is not installed; run: npm install bullmq ioredis',
    );
  }
}
