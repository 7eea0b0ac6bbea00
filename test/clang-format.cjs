// Part of `npm run check`: every native source is formatted by .clang-format. Without clang-format
// on the machine it says so and passes, so that a fresh clone can run the TypeScript checks alone.
const { execFileSync, spawnSync } = require('node:child_process');

const program = ['clang-format-19', 'clang-format'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
const files = execFileSync(
  'git',
  ['ls-files', '-co', '--exclude-standard', '*.cc', '*.h', '*.inc'],
  {
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter((file) => file !== '' && !file.endsWith('variants.inc'));

if (program === undefined) {
  console.error('clang-format: not installed, native formatting was not checked');
} else if (files.length > 0) {
  const mode = process.argv.includes('--fix') ? ['-i'] : ['--dry-run', '--Werror'];
  process.exitCode = spawnSync(program, [...mode, ...files], { stdio: 'inherit' }).status ?? 1;
}
