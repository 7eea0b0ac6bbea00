// SPDX-License-Identifier: Apache-2.0
// A stranger's first minute: lastbit from a registry by npm 12, pnpm and bun, each with a home and a cache that
// are empty, no install script run, no compiler on PATH, then `lastbit demo`. Needs what `npm run package` made
// (this machine's engine at least). Writes test/packaging/results/managers.json.
//   node test/packaging/managers.cjs [--packages out/packages]
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { parseArgs } = require('node:util');
const { emptyProject, pathWith, root, run, timed } = require('./commands.cjs');
const { openRegistry } = require('./registry.cjs');
const { laterNode, npmPackage } = require('./tools.cjs');

const node = laterNode();
const npm = join(npmPackage('npm', '12.2.2'), 'bin/npm-cli.js');
const npx = join(npmPackage('npm', '12.2.2'), 'bin/npx-cli.js');
const pnpm = join(npmPackage('pnpm', '12.23.0'), 'bin/pnpm.mjs');
const bun = join(npmPackage('@oven/bun-linux-x64', '1.4.5'), 'bin/bun');

/** Each manager: how it adds packages to a project, and how it runs a package's command. */
const managers = [
  { name: 'npm 12.2.2', add: [node, npm, 'install'], exec: [node, npx, '--no-install'] },
  // pnpm takes a script that it was not told of for an error, unless it is told to run none; lastbit has none.
  {
    name: 'pnpm 12.23.0',
    add: [node, pnpm, 'add'],
    addRuntime: ['--ignore-scripts'],
    exec: [node, pnpm, 'exec'],
  },
  { name: 'bun 1.4.5', add: [bun, 'add'], exec: [bun, 'x', '--no-install'] },
  // The same installation, run by Bun itself in place of Node.
  { name: 'bun 1.4.5, as runtime', add: [bun, 'add'], exec: [bun, 'x', '--bun', '--no-install'] },
];

/** What is installed: packages and bytes, each counted once however many links lead to it. */
function installedSize(project) {
  const modules = join(project, 'node_modules');
  const manifests = run('find', [modules, '-type', 'f', '-name', 'package.json'])
    .split('\n')
    .filter((path) => /\/node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path));
  const [kibibytes] = run('du', ['-sk', modules]).split('\t');
  return { packages: manifests.length, mebibytes: Math.round(Number(kibibytes) / 1024) };
}

function tryManager({ name, add, addRuntime = [], exec }, extra, url, scratch) {
  const place = fs.mkdtempSync(join(scratch, 'manager-'));
  const project = emptyProject(join(place, 'project'));
  const home = join(place, 'home');
  fs.mkdirSync(home);
  fs.writeFileSync(join(home, '.npmrc'), `registry=${url}\n`);
  const env = {
    HOME: home,
    PATH: pathWith(join(place, 'bin'), { node, sh: '/bin/sh' }),
  };
  const options = { cwd: project, env };
  const flags = extra.length === 0 ? [] : addRuntime;
  const [command, ...args] = [...add, ...flags, 'lastbit', ...extra];
  const install = timed(() => run(command, args, options));
  const engines = fs.readdirSync(
    fs.existsSync(join(project, 'node_modules/.pnpm/node_modules/@lastbit'))
      ? join(project, 'node_modules/.pnpm/node_modules/@lastbit')
      : join(project, 'node_modules/@lastbit'),
  );
  assert.deepEqual(engines, ['engine-linux-x64-gnu'], `${name} took other engines than this one`);
  const [runner, ...first] = exec;
  const demo = timed(() =>
    JSON.parse(run(runner, [...first, 'lastbit', 'demo', '--format', 'json'], options)),
  );
  const result = {
    manager: name,
    with: extra,
    installSeconds: install.seconds,
    demoSeconds: demo.seconds,
    totalSeconds: Math.round(10 * (install.seconds + demo.seconds)) / 10,
    ...installedSize(project),
    top1: demo.result.nets.map(({ variants }) => variants.map(({ top1 }) => top1)),
  };
  fs.rmSync(place, { recursive: true });
  return result;
}

async function main() {
  const { values } = parseArgs({
    options: { packages: { type: 'string', default: join(root, 'out/packages') } },
  });
  const scratch = fs.mkdtempSync(join(tmpdir(), 'lastbit-managers-'));
  const registry = await openRegistry(resolve(values.packages));
  const results = [];
  try {
    for (const extra of [[], ['onnxruntime-node']]) {
      for (const manager of managers) {
        const result = tryManager(manager, extra, registry.url, scratch);
        console.log(JSON.stringify(result));
        results.push(result);
      }
      const [first, ...others] = results.filter(({ with: packages }) => packages === extra);
      for (const { manager, top1 } of others) assert.deepEqual(top1, first.top1, manager);
    }
  } finally {
    registry.close();
    fs.rmSync(scratch, { recursive: true, force: true });
  }
  const folder = join(__dirname, 'results');
  fs.mkdirSync(folder, { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  const text = JSON.stringify({ date, results }, undefined, 2);
  fs.writeFileSync(join(folder, 'managers.json'), `${text}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
