// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { measureQuietness } from '../../src/bench/machine.js';

test('a process that keeps a core busy is noticed', async () => {
  const busy = spawn(process.execPath, ['-e', 'console.log(1); for (;;);']);
  await new Promise((resolve) => busy.stdout.once('data', resolve));
  const { othersBusyCores, quiet } = await measureQuietness(20, 600);
  busy.kill('SIGKILL');
  expect(othersBusyCores).toBeGreaterThan(0.3);
  expect(quiet).toBe(false);
});
