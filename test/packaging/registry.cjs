// SPDX-License-Identifier: Apache-2.0
// A registry on this machine that has the packed packages and passes everything else on, so that package
// managers resolve lastbit and choose its engine as they would from the public one.
const { spawn } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { createServer } = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { run } = require('./commands.cjs');
const { laterNode, npmPackage } = require('./tools.cjs');

/** A port that nobody listens on. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Answers once the registry does. */
async function waitFor(url, child) {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error(`verdaccio ended with ${child.exitCode}`);
    const up = await fetch(`${url}-/ping`).then(
      (response) => response.ok,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('verdaccio does not answer');
}

/**
 * Starts the registry and publishes all packages of a folder that native/package/package.cjs filled.
 *
 * @returns {Promise<{ url: string, close: () => void }>}
 */
async function openRegistry(packages) {
  const storage = mkdtempSync(join(tmpdir(), 'lastbit-registry-'));
  const uplink = run('npm', ['config', 'get', 'registry']).trim();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const everyone = { access: '$all', publish: '$all', unpublish: '$all' };
  // JSON is YAML.
  const config = {
    storage: join(storage, 'packages'),
    uplinks: { public: { url: uplink, timeout: '120s', maxage: '60m' } },
    packages: {
      lastbit: everyone,
      '@lastbit/*': everyone,
      '**': { ...everyone, proxy: 'public' },
    },
    max_body_size: '200mb',
    log: { type: 'stdout', format: 'json', level: 'warn' },
  };
  const file = join(storage, 'config.yaml');
  writeFileSync(file, JSON.stringify(config));
  const verdaccio = join(npmPackage('verdaccio', '6.10.4'), 'bin/verdaccio');
  const child = spawn(laterNode(), [verdaccio, '-c', file, '-l', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const close = () => {
    child.kill();
    rmSync(storage, { recursive: true, force: true });
  };
  try {
    await waitFor(url, child);
    publishAll(packages, url, storage);
  } catch (error) {
    close();
    throw error;
  }
  return { url, close };
}

function publishAll(packages, url, home) {
  const token = `--//${url.slice('http://'.length)}:_authToken=any`;
  const { main, engines } = JSON.parse(readFileSync(join(packages, 'packages.json'), 'utf8'));
  for (const { file } of [...engines, main]) {
    const args = ['publish', join(packages, file), '--registry', url, token, '--access', 'public'];
    run('npm', args, { cwd: home });
  }
}

module.exports = { openRegistry };
