// SPDX-License-Identifier: Apache-2.0
// node test/fuzz/bombs.cjs [--main FILE]: small files that ask for much, each read by `lastbit inspect` in a
// process of its own; prints their size, the exit code, peak memory and time. --main names another build's
// dist/cli/main.js, so that two can be compared. Needs dist/ (npm run build:ts).
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync, statSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const root = join(__dirname, '../..');
const { main } = parseArgs({
  options: { main: { type: 'string', default: join(root, 'dist/cli/main.js') } },
}).values;
const { encodeMessage } = require(join(root, 'dist/onnx/file/protobuf.js'));

const value = (name, shape) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
});
const ints = (name, dims) => ({ name, dims: [dims.length], dataType: 7, int64Data: dims });
const attribute = (name, values) => ({ name, type: 7, ints: values });
const model = (graph) =>
  encodeMessage({ irVersion: 7, opsetImport: [{ domain: '', version: 13 }], graph });
const chain = (count, node) =>
  Array.from({ length: count }, (_, i) =>
    node(i === 0 ? 'x' : `v${i}`, i === count - 1 ? 'y' : `v${i + 1}`),
  );

const w = { name: 'w', dims: [1, 1, 1, 1], dataType: 1, rawData: new Uint8Array(4) };
const bombs = {
  'constants of 2^26 elements, 16 of them': () =>
    model({
      node: [
        ...Array.from({ length: 16 }, (_, i) => ({
          opType: 'ConstantOfShape',
          input: ['s'],
          output: [`c${i}`],
        })),
        { opType: 'Relu', input: ['x'], output: ['y'] },
      ],
      initializer: [ints('s', [2 ** 26])],
      input: [value('x', [1, 1, 8, 8])],
      output: [value('y', [1, 1, 8, 8])],
    }),
  'a sum of 2^20 x 1 and 1 x 2^20 constants': () =>
    model({
      node: [
        { opType: 'ConstantOfShape', input: ['s'], output: ['a'] },
        { opType: 'ConstantOfShape', input: ['t'], output: ['b'] },
        { opType: 'Add', input: ['a', 'b'], output: ['c'] },
        { opType: 'Relu', input: ['x'], output: ['y'] },
      ],
      initializer: [ints('s', [2 ** 20, 1]), ints('t', [1, 2 ** 20])],
      input: [value('x', [1, 1, 8, 8])],
      output: [value('y', [1, 1, 8, 8])],
    }),
  'an input of 2^40 pixels': () =>
    model({
      node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
      input: [value('x', [1, 1, 2 ** 20, 2 ** 20])],
      output: [value('y', [1, 1, 2 ** 20, 2 ** 20])],
    }),
  'margins of 2^30 around one pixel': () =>
    model({
      node: [
        {
          opType: 'Conv',
          input: ['x', 'w'],
          output: ['y'],
          attribute: [attribute('pads', Array(4).fill(2 ** 30))],
        },
      ],
      initializer: [w],
      input: [value('x', [1, 1, 1, 1])],
      output: [value('y', [])],
    }),
  '4 x 10^12 steps': () =>
    model({
      node: chain(60000, (from, to) => ({ opType: 'Relu', input: [from], output: [to] })),
      input: [value('x', [1, 1, 2 ** 13, 2 ** 13])],
      output: [value('y', [1, 1, 2 ** 13, 2 ** 13])],
    }),
  '60,000 operations on 4 pixels': () =>
    model({
      node: chain(60000, (from, to) => ({ opType: 'Relu', input: [from], output: [to] })),
      input: [value('x', [1, 1, 2, 2])],
      output: [value('y', [1, 1, 2, 2])],
    }),
  '1,500,000 empty attributes': () =>
    model({
      node: [{ opType: 'Relu', input: ['x'], output: ['y'], attribute: Array(1_500_000).fill({}) }],
      input: [value('x', [1, 1, 2, 2])],
      output: [value('y', [1, 1, 2, 2])],
    }),
  '20,000,000 single integers': () =>
    model({
      node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
      initializer: [
        { name: 'w', dims: [20_000_000], dataType: 6, int32Data: Array(20_000_000).fill(1) },
      ],
      input: [value('x', [1, 1, 2, 2])],
      output: [value('y', [1, 1, 2, 2])],
    }),
};

/** A script that runs the command line and prints, after it, the most memory that it had (KiB). */
const measured = (file) => `
process.on('exit', () => process.stderr.write('\\npeak ' + process.resourceUsage().maxRSS));
process.argv = [process.argv[0], ${JSON.stringify(main)}, 'inspect', ${JSON.stringify(file)}];
require(process.argv[1]);`;

const folder = mkdtempSync(join(tmpdir(), 'lastbit-bombs-'));
console.log(
  '| file | bytes | exit | peak MiB | seconds | what it says |\n|---|---|---|---|---|---|',
);
for (const [name, make] of Object.entries(bombs)) {
  const file = join(folder, 'bomb.onnx');
  writeFileSync(file, make());
  const started = performance.now();
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', measured(file)], {
    encoding: 'utf8',
    timeout: 60000,
    maxBuffer: 2 ** 28,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const peak = /\npeak (\d+)/.exec(stderr);
  const said = /error (\[[a-z-]+\])/.exec(stderr)?.[1] ?? '';
  const mib = peak ? Math.round(peak[1] / 1024) : '?';
  console.log(
    `| ${name} | ${statSync(file).size} | ${status ?? signal} | ${mib} | ${seconds} | ${said} |`,
  );
}
rmSync(folder, { recursive: true });
