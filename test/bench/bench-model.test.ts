// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchDocument, TimedPeer } from '../../src/bench/document.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { lastbit, lastbitJson } from '../cli/captured.js';
import { tieCases } from '../targets/ties.js';
import { tinyNet } from './tiny-net.js';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-bench-test-'));
  file = join(folder, 'tiny.onnx');
  writeFileSync(file, writeQdq(tinyNet()));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('bench gives the document that scripts rely on', async () => {
  const document = await lastbitJson<BenchDocument>(
    ...['bench', file, '--target', 'tflm', '--runs', 20, '--verify', 'interpreter'],
  );
  expect(document).toMatchObject({
    schemaVersion: 1,
    threads: 1,
    runs: 20,
    exact: { differing: 0, against: ['reference', 'interpreter'], inputs: 1 },
    peers: [],
  });
  // Values of five layers and the output, twice.
  expect(document.exact.compared).toBe(2 * (3 * 16 * 144 + 16 + 10 + 10));
  expect(document.layers.map(({ name }) => name)).toEqual(tinyNet().nodes.map(({ name }) => name));
  expect(document.p50Ms).toBeGreaterThan(0);
  expect(document.p99Ms).toBeGreaterThanOrEqual(document.p90Ms);
  expect(document.loadMs).toBeGreaterThan(0);
  expect(document.peakRssMiB).toBeGreaterThan(20);
  expect(document.addedRssMiB).toBeLessThan(20);
});

test('onnxruntime takes its turns; each form is timed or left out with a reason', async () => {
  const { peers, p50Ms } = await lastbitJson<BenchDocument>(
    ...['bench', file, '--target', 'onnxruntime', '--runs', 10, '--vs', 'onnxruntime'],
  );
  const names = peers.map(({ name }) => name);
  for (const name of ['fp32', 'file', 'int8-qdq-u8s8', 'int8-qop-u8s8', 'int8-qdq-s8s8', 'int8']) {
    expect(names).toContain(`onnxruntime-${name}`);
  }
  const timed = peers.filter((peer): peer is TimedPeer => !('excluded' in peer));
  expect(timed.length).toBeGreaterThan(3);
  for (const peer of timed) expect(peer.ratio).toBeCloseTo(peer.p50Ms / p50Ms, 9);
  const best = timed.find(({ name }) => name === 'onnxruntime-int8')!;
  const forms = timed.filter(({ name }) => /int8-q..-/.test(name));
  expect(best.p50Ms).toBe(Math.min(...forms.map(({ p50Ms: ms }) => ms)));
});

test('peers that are not built are listed with the way to build them', async () => {
  const before = process.env.LASTBIT_PEERS;
  process.env.LASTBIT_PEERS = folder;
  try {
    const { peers } = await lastbitJson<BenchDocument>(
      ...['bench', file, '--target', 'tflm', '--runs', 2, '--vs', 'onednn,loops'],
    );
    expect(peers).toEqual([
      { name: 'onednn-int8', excluded: expect.stringContaining('libdnnl-dev') },
      { name: 'loops-O2', excluded: expect.stringContaining('build.cjs') },
    ]);
  } finally {
    if (before === undefined) delete process.env.LASTBIT_PEERS;
    else process.env.LASTBIT_PEERS = before;
  }
});

test('LiteRT.js runs a .tflite file in turns, and nothing else', async () => {
  const [tie] = tieCases();
  const model = join(folder, 'tie.tflite');
  writeFileSync(model, tie!.model);
  const options = ['--target', 'xnnpack', '--runs', 4, '--vs', 'litert'];
  const { peers } = await lastbitJson<BenchDocument>('bench', model, ...options);
  expect(peers).toEqual([
    expect.objectContaining({ name: 'litert-wasm-int8', runs: 4, top1Agreement: 100 }),
  ]);
  const other = await lastbitJson<BenchDocument>('bench', file, ...options);
  expect(other.peers).toEqual([
    { name: 'litert-wasm-int8', excluded: expect.stringContaining('.tflite files only') },
  ]);
});

test('an unknown peer, instruction set or float model is an error', async () => {
  const peer = await lastbit('bench', file, '--target', 'tflm', '--vs', 'openvino');
  expect([peer.code, peer.err]).toEqual([2, expect.stringContaining('[unknown-peer]')]);
  const isa = await lastbit('bench', file, '--target', 'tflm', '--isa', 'mmx');
  expect([isa.code, isa.err]).toEqual([2, expect.stringContaining('[unknown-isa]')]);
  const float = await lastbit('bench', file, '--target', 'tflm', '--float', file);
  expect([float.code, float.err]).toEqual([3, expect.stringContaining('[not-float]')]);
});
