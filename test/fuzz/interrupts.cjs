// SPDX-License-Identifier: Apache-2.0
// node test/fuzz/interrupts.cjs [--count N] [--load N] [--only COMMAND,...]: interrupts every long command at random times, while
// N processes keep the machine busy, and reports how long each took to end and what it left behind.
// Needs dist/ (npm run build:ts).
const { spawn } = require('node:child_process');
const { mkdtempSync, readdirSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const root = join(__dirname, '../..');
const fashion = join(root, 'models/fashion');
const main = join(root, 'dist/cli/main.js');
const { count, load, only } = parseArgs({
  options: {
    count: { type: 'string', default: '50' },
    load: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
  },
}).values;

const float = join(fashion, 'mobilenet_v1_fashion.onnx');
const calibration = join(fashion, 'calibration-images.npy');
const images = join(fashion, 'test-images.npy');
const labels = join(fashion, 'test-labels.npy');

/** Commands by the folder they may write into. */
const commands = (out, quant) => ({
  quantize: ['quantize', float, '-o', join(out, 'q.onnx'), '--calib', calibration],
  evaluate: ['evaluate', quant, '--images', images, '--labels', labels, '--out', join(out, 'e')],
  golden: ['golden', quant, '--images', images, '--limit', '50', '--out', join(out, 'g')],
  demo: ['demo'],
  bench: ['bench', quant, '--runs', '2000'],
  run: [
    'run',
    quant,
    '--images',
    images,
    '--limit',
    '200',
    '--taps',
    'all',
    '--out',
    join(out, 'r'),
  ],
  analyze: ['analyze', float, '--images', images],
  compare: ['compare', float, quant, '--images', images],
});

const run = (args, scratch) =>
  spawn(process.execPath, [main, ...args], {
    stdio: 'ignore',
    env: { ...process.env, TMPDIR: scratch },
  });
const ended = (child) =>
  new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));

/** Names that only half-written things have. */
const leftIn = (folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.part|\.lock|lastbit-(demo|bench)/.test(name),
  );

async function interrupt(args, folder, wait) {
  const child = run(args, folder);
  const end = ended(child);
  const early = await Promise.race([end, new Promise((resolve) => setTimeout(resolve, wait))]);
  if (early !== undefined) return undefined;
  const started = performance.now();
  child.kill('SIGINT');
  const { code, signal } = await end;
  return { ms: performance.now() - started, code, signal };
}

async function main_() {
  const folder = mkdtempSync(join(tmpdir(), 'lastbit-interrupts-'));
  const quant = join(folder, 'net.onnx');
  await ended(
    run(['quantize', float, '-o', quant, '--calib', calibration, '--recipe', 'naive'], folder),
  );
  const busy = Array.from({ length: Number(load) }, () =>
    spawn(process.execPath, ['-e', 'for(;;);'], { stdio: 'ignore' }),
  );
  const times = [];
  const faults = [];
  try {
    for (let i = 0; times.length < Number(count); i++) {
      const out = mkdtempSync(join(folder, 'out-'));
      const all = Object.entries(commands(out, quant)).filter(
        ([name]) => only === '' || only.split(',').includes(name),
      );
      const [name, args] = all[i % all.length];
      const result = await interrupt(args, out, 100 + Math.random() * 3000);
      const left = leftIn(out);
      if (left.length > 0) faults.push(`${name} left ${left.join(', ')}`);
      if (result !== undefined) {
        times.push({ name, ms: result.ms });
        if (result.signal !== 'SIGINT' && result.code !== 130) {
          faults.push(`${name} ended with code ${result.code}, signal ${result.signal}`);
        }
      }
      rmSync(out, { recursive: true, force: true });
    }
  } finally {
    for (const child of busy) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
  times.sort((a, b) => a.ms - b.ms);
  const p99 = times[Math.min(times.length - 1, Math.floor(times.length * 0.99))];
  const slow = times.slice(-5).map(({ name, ms }) => `${name} ${ms.toFixed(0)}`);
  console.log(
    JSON.stringify({
      interrupts: times.length,
      p50Ms: times[times.length >> 1].ms,
      p99Ms: p99.ms,
      slow,
      faults,
    }),
  );
  process.exitCode = faults.length === 0 && p99.ms < 500 ? 0 : 1;
}
void main_();
