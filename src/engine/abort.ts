// SPDX-License-Identifier: Apache-2.0
import type { Native, NativeCancelToken } from './native.js';

/**
 * Runs what may be aborted: `start` is given a token that the signal cancels.
 *
 * @throws the signal's reason where it was aborted before
 */
export async function abortable<Result>(
  signal: AbortSignal | undefined,
  { CancelToken }: Pick<Native, 'CancelToken'>,
  start: (token: NativeCancelToken | undefined) => Promise<Result>,
): Promise<Result> {
  if (signal === undefined) return start(undefined);
  signal.throwIfAborted();
  const token = new CancelToken();
  const cancel = (): void => {
    token.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await start(token);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
