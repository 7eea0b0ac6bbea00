// SPDX-License-Identifier: Apache-2.0
// The protocol of bench/peers/serve.h, against stand-ins that speak it.
import { openNativePeer } from '../../src/bench/native-peers.js';

const speak = (script: string) => openNativePeer(process.execPath, ['-e', script]);

const obedient = `
  console.log(JSON.stringify({ ready: 'stand-in', version: '1.2', output: [3, 1] }));
  require('readline').createInterface({ input: process.stdin }).on('line', (count) => {
    console.log(JSON.stringify(Array.from({ length: Number(count) }, (_, i) => i + 0.5)));
  });
`;

test('a peer answers with as many times as it was asked for', async () => {
  const peer = await speak(obedient);
  expect([peer.version, peer.output]).toEqual(['1.2', [3, 1]]);
  expect(await peer.runBlock(3)).toEqual([0.5, 1.5, 2.5]);
  expect(await peer.runBlock(1)).toEqual([0.5]);
  peer.close();
});

test('a refusal is told in the words of the peer', async () => {
  await expect(speak(`console.log('{"refused": "no primitive for pool"}')`)).rejects.toThrow(
    'no primitive for pool',
  );
});

test('a peer that ends at once is no peer', async () => {
  await expect(speak('process.exit(3)')).rejects.toThrow('exit code 3');
  await expect(openNativePeer('/nonexistent/peer', [])).rejects.toThrow('ENOENT');
});

test('a peer that dies between blocks does not hang the bench', async () => {
  const peer = await speak(
    `console.log('{"ready": "x"}'); process.stdin.once('data', () => process.exit(1));`,
  );
  await expect(peer.runBlock(2)).rejects.toThrow('exit code 1');
});
