// SPDX-License-Identifier: Apache-2.0
// Builds the addon for other platforms with zig, which carries the headers and C libraries of all of them
// and comes from the Python package index like any package. CMakeLists.txt is the one description of what is
// built; native/cmake/zig.cmake only names the compiler.
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { licenceOf } = require('./bundle.cjs');

/** Pinned, so that the same sources give the same engines. */
const zigVersion = '0.17.1';

const root = join(__dirname, '../..');

/** Runs a command with its output shown; throws where it fails. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
  }
}

/**
 * The zig program, installed into a virtual environment of its own on first use.
 *
 * @param {string} folder for the environment
 * @returns {{ zig: string, lib: string }} the program, and its folder of sources and licences
 */
function installZig(folder) {
  const python = join(folder, 'bin/python');
  if (!existsSync(python)) run('python3', ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '--quiet', `ziglang==${zigVersion}`]);
  const where = 'import ziglang, os; print(os.path.dirname(ziglang.__file__))';
  const { stdout } = spawnSync(python, ['-c', where], { encoding: 'utf8' });
  return { zig: join(stdout.trim(), 'zig'), lib: join(stdout.trim(), 'lib') };
}

/** Windows resolves every symbol at link time: Node's own become an import library. */
function nodeImportLibrary(zig, folder) {
  const headers = require('node-api-headers');
  const names = Object.values(headers.symbols)
    .flatMap(({ js_native_api_symbols: js, node_api_symbols: node }) => [...js, ...node])
    .sort();
  mkdirSync(folder, { recursive: true });
  const definition = join(folder, 'node.def');
  writeFileSync(definition, ['NAME NODE.EXE', 'EXPORTS', ...new Set(names), ''].join('\n'));
  const library = join(folder, 'libnode.a');
  run(zig, ['dlltool', '-m', 'i386:x86-64', '-d', definition, '-l', library]);
  return library;
}

/**
 * Builds the addon for one platform.
 *
 * @param {string} zig
 * @param {import('./platforms.cjs').Platform} platform
 * @returns {string} the addon's file
 */
function buildWithZig(zig, platform) {
  const folder = join(root, 'build-cross', platform.name);
  const library = platform.os === 'win32' ? nodeImportLibrary(zig, join(folder, 'node')) : '';
  run('cmake', [
    ...['-S', '.', '-B', folder, '-G', 'Ninja'],
    '-DCMAKE_TOOLCHAIN_FILE=native/cmake/zig.cmake',
    `-DLASTBIT_ZIG=${zig}`,
    `-DLASTBIT_ZIG_TARGET=${platform.target}`,
    `-DLASTBIT_ZIG_SYSTEM=${platform.system}`,
    `-DCMAKE_JS_LIB=${library}`,
  ]);
  run('cmake', ['--build', folder]);
  return join(folder, 'lastbit.node');
}

/**
 * Licences of what is linked into an engine, and of the headers that it is compiled against.
 *
 * @param {string | undefined} lib zig's folder; none where another compiler built the engine
 */
function linkedLicences(lib) {
  const bySource = [
    ['LLVM libc++ and libc++abi', 'libcxx/LICENSE.TXT'],
    ['LLVM libunwind', 'libunwind/LICENSE.TXT'],
    ['zig (compiler runtime)', '../LICENSE'],
    ['mingw-w64 runtime (Windows only)', 'libc/mingw/COPYING'],
  ];
  const linked = (lib === undefined ? [] : bySource).map(([what, path]) => ({
    what,
    text: readFileSync(join(lib, path), 'utf8'),
  }));
  return [...linked, licenceOf('node-addon-api'), licenceOf('node-api-headers')];
}

module.exports = { installZig, buildWithZig, linkedLicences, zigVersion };
