// SPDX-License-Identifier: Apache-2.0
// Makes everything that is published, in one folder: the package `lastbit` and one package for each engine,
// cross-built with zig; beside them packages.json (sizes, hashes, what each engine was built for) and the
// bill of materials. See NOTES.md beside this file.
//   npm run package                          all platforms; some minutes each
//   npm run package -- --platforms linux-x64-musl,win32-x64
//   npm run package -- --host                the engine that this checkout has built, for this machine alone
const { spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { basename, join, resolve } = require('node:path');
const { parseArgs } = require('node:util');
const { bundleInto, bundledPackages } = require('./bundle.cjs');
const { newestGlibc, compareVersions, platformOf } = require('./binary.cjs');
const { enginePackage, engineManifest, publishedManifest } = require('./manifest.cjs');
const { glibc, hostGlibc, hostPlatform, platforms } = require('./platforms.cjs');
const { buildWithZig, installZig, linkedLicences, zigVersion } = require('./zig.cjs');

const root = join(__dirname, '../..');
const repository = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'));

/** The output of a command that has to succeed. */
function output(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** The platforms that the command line names. */
function chosenPlatforms({ host, platforms: names }) {
  if (host) {
    const platform = hostPlatform();
    if (platform === undefined) throw new Error('no engine package is published for this platform');
    return [platform];
  }
  if (names === undefined) return platforms;
  return names.split(',').map((name) => {
    const platform = platforms.find((each) => each.name === name);
    const known = platforms.map((each) => each.name).join(', ');
    if (platform === undefined) throw new Error(`no platform "${name}"; there are ${known}`);
    return platform;
  });
}

/** Refuses an engine that is for another machine, or asks for a newer glibc than it may. */
function checkEngine(file, platform, oldestGlibc) {
  const bytes = fs.readFileSync(file);
  const { os, cpu } = platformOf(bytes);
  if (os !== platform.os || cpu !== platform.cpu) {
    throw new Error(`${file}: expected ${platform.os} ${platform.cpu}, got ${os} ${cpu}`);
  }
  const newest = newestGlibc(bytes);
  if (newest === undefined) return {};
  if (platform.libc !== 'glibc') throw new Error(`${file}: asks for glibc on ${platform.name}`);
  if (compareVersions(newest, oldestGlibc) > 0) {
    throw new Error(`${file}: asks for glibc ${newest}, promised is ${oldestGlibc}`);
  }
  return { newestGlibc: newest };
}

function writeManifest(folder, manifest) {
  fs.writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** The licences of others that a package has to carry along. */
function writeNotices(folder, owner, licences) {
  const sections = licences.map(({ what, text }) => `## ${what}\n\n${text.trim()}\n`);
  const title = `# Licences of what is compiled into ${owner}\n`;
  fs.writeFileSync(join(folder, 'NOTICE.md'), [title, ...sections].join('\n'));
}

function emptyFolder(...parts) {
  const folder = join(...parts);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}

/** Packs a folder; what is known of the tarball. */
function pack(folder, out) {
  const [{ name, version, filename, size, unpackedSize }] = JSON.parse(
    output('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], folder),
  );
  const sha256 = createHash('sha256')
    .update(fs.readFileSync(join(out, filename)))
    .digest('hex');
  console.log(`${name}@${version}: ${filename}, ${Math.round(size / 1024)} KiB`);
  return { name, version, file: filename, packedBytes: size, unpackedBytes: unpackedSize, sha256 };
}

/** The package `lastbit`, compiled anew, so that no module without a source can be in it. */
async function packMain(staging, out, engines) {
  const folder = emptyFolder(staging, 'lastbit');
  output(process.execPath, [
    require.resolve('typescript/bin/tsc'),
    ...['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')],
  ]);
  const licences = await bundleInto(join(folder, 'dist/onnx/file/protobuf.js'));
  writeNotices(folder, 'lastbit', licences);
  for (const part of ['README.md', 'LICENSE', ...repository.files.filter((f) => f !== 'dist')]) {
    fs.cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  writeManifest(folder, publishedManifest(repository, engines, bundledPackages));
  return pack(folder, out);
}

function packEngine(staging, out, platform, addon, oldestGlibc, licences) {
  const facts = checkEngine(addon, platform, oldestGlibc);
  const folder = emptyFolder(staging, basename(enginePackage(platform)));
  fs.copyFileSync(addon, join(folder, 'lastbit.node'));
  fs.copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  writeNotices(folder, 'lastbit.node', licences);
  const readme = `# ${enginePackage(platform)}\n\nThe native engine of lastbit for ${platform.name}.\n`;
  fs.writeFileSync(join(folder, 'README.md'), readme);
  writeManifest(folder, engineManifest(repository, platform));
  return { ...pack(folder, out), ...facts };
}

/** Everything that an installation of the package can bring, by the lock file. */
function writeBillOfMaterials(out) {
  const args = ['sbom', '--omit', 'dev', '--package-lock-only', '--sbom-format', 'cyclonedx'];
  fs.writeFileSync(join(out, 'lastbit.cdx.json'), output('npm', args));
}

async function main() {
  const { values } = parseArgs({
    options: {
      host: { type: 'boolean', default: false },
      platforms: { type: 'string' },
      out: { type: 'string', default: join(root, 'out/packages') },
    },
  });
  const out = emptyFolder(resolve(values.out));
  const staging = emptyFolder(root, 'out/staging');
  const chosen = chosenPlatforms(values);
  const zig = values.host ? undefined : installZig(join(root, 'out/zig'));
  const compiler = values.host ? 'of this checkout' : `zig ${zigVersion}`;
  // An engine for this machine alone may ask for what this machine has.
  const oldestGlibc = values.host ? hostGlibc() : glibc;
  const licences = linkedLicences(zig?.lib);
  const engines = chosen.map((platform) => {
    const begin = Date.now();
    const addon =
      zig === undefined
        ? join(root, 'build/Release/lastbit.node')
        : buildWithZig(zig.zig, platform);
    const buildSeconds = Math.round((Date.now() - begin) / 1000);
    const packed = packEngine(staging, out, platform, addon, oldestGlibc, licences);
    return { platform: platform.name, target: platform.target, compiler, buildSeconds, ...packed };
  });
  // A test of one engine alone must still see what users of the others would.
  const main = await packMain(staging, out, values.host ? chosen : platforms);
  writeBillOfMaterials(out);
  const summary = { main, engines };
  fs.writeFileSync(join(out, 'packages.json'), `${JSON.stringify(summary, undefined, 2)}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
