// SPDX-License-Identifier: Apache-2.0
// Every network of families.py through the whole way: imported, quantized by the default recipe, run,
// compared with float, and its codes with onnxruntime's of the written file. Needs the built package.
//
//     node families.cjs [FOLDER [--record] [NAME...]]
//
// FOLDER is what families.py wrote; without one the page is written again. --record writes results/families.md and .json, rows of other networks kept.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { readNpy } = require('../../dist/data/npy.js');
const { profileHere } = require('./matrix/runtimes.cjs');

const cli = join(__dirname, '../../dist/cli/main.js');
const results = join(__dirname, 'results');
const target = profileHere();
/** Images that calibrate; the rest compares. */
const calibrating = 16;
/** Images whose codes are compared with the runtime's. */
const inRuntime = 4;

function lastbit(...args) {
  const text = execFileSync(process.execPath, [cli, ...args, '--format', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(text.toString());
}

/** The last lines that a failed command wrote. */
function wordsOf(error) {
  const told = String(error.stderr ?? '').trim() || error.message;
  return told.split('\n').at(-1).slice(0, 600);
}

/** A stack of images from `first` on, as a file that commands read. */
function part(file, first, count, out) {
  const bytes = readFileSync(file);
  const { shape, data } = readNpy(bytes, file);
  const size = data.length / shape[0];
  const chosen = data.slice(first * size, (first + count) * size);
  const dims = [count, ...shape.slice(1)].join(', ');
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims}), }`;
  const padded = head.padEnd(64 * Math.ceil((head.length + 11) / 64) - 11) + '\n';
  const magic = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 0, 0]);
  magic.writeUInt16LE(padded.length, 8);
  const raw = Buffer.from(chosen.buffer, chosen.byteOffset, chosen.byteLength);
  writeFileSync(out, Buffer.concat([magic, Buffer.from(padded, 'latin1'), raw]));
  return raw;
}

/** The row of one file; a step that fails ends it, with its words. */
function familyRow(folder, { name, exporter, file, images }, work) {
  const row = { name, exporter, target };
  const [quantized, calibration, others] = ['q.onnx', 'c.npy', 'o.npy'].map((f) => join(work, f));
  const total = readNpy(readFileSync(join(folder, images)), images).shape[0];
  part(join(folder, images), 0, calibrating, calibration);
  const raw = part(join(folder, images), calibrating, total - calibrating, others);
  let step = 'inspect';
  try {
    const { layers, unsupported } = lastbit('inspect', join(folder, file));
    if (unsupported.length > 0) {
      return { ...row, failed: `inspect: ${unsupported[0].reason}`, count: unsupported.length };
    }
    step = 'quantize';
    const plain = ['--preprocess', 'none'];
    const float = join(folder, file);
    lastbit(
      ...['quantize', float, '-o', quantized, '--calib', calibration, '--target', target],
      ...['--overwrite', ...plain],
    );
    step = 'compare';
    const { output } = lastbit('compare', float, quantized, '--images', others, ...plain);
    const codes = () => {
      const inputs = join(work, 'inputs.bin');
      writeFileSync(inputs, raw.subarray(0, (raw.length / (total - calibrating)) * inRuntime));
      const dump = join(work, 'dump');
      const run = (script, ...args) =>
        execFileSync(process.execPath, [join(__dirname, script), ...args], {
          stdio: ['ignore', 'pipe', 'pipe'],
          maxBuffer: 2 ** 28,
        }).toString();
      run('ort_run.cjs', quantized, inputs, dump, '--optimize', '--int8');
      const text = run('compare.cjs', quantized, inputs, dump, target, '--reals');
      const found = /(\d+) tensors, (\d+) values, (\d+) differing/.exec(text);
      if (found === null) throw new Error(text);
      return { text, values: Number(found[2]), differing: Number(found[3]) };
    };
    step = 'onnxruntime';
    const { text, values, differing } = codes();
    if (differing > 0) console.log(text);
    return { ...row, layers, output, values, differing };
  } catch (error) {
    return { ...row, failed: `${step}: ${wordsOf(error)}` };
  }
}

function sentence(row) {
  if (row.failed !== undefined) return `${row.name} ${row.exporter}: ${row.failed}`;
  const db = row.output.sqnrDb;
  return `${row.name} ${row.exporter}: ${row.layers} layers, ${db.toFixed(1)} dB, ${row.values} codes, ${row.differing} differing`;
}

function page(rows) {
  const { version } = require('onnxruntime-node/package.json');
  const lines = rows.map((row) =>
    row.failed === undefined
      ? `| ${row.name} | ${row.exporter} | ${row.layers} | ${row.target} | ${row.output.sqnrDb.toFixed(1)} | ${row.values.toLocaleString('en-US')} | ${row.differing} |`
      : `| ${row.name} | ${row.exporter} | | ${row.target} | ${row.failed.replaceAll('|', '\\|')} | | |`,
  );
  return `# Families of mobile networks

Made by \`python test/oracles/families.py FOLDER\` and \`node test/oracles/families.cjs FOLDER --record\`. Float ONNX by
PyTorch's two exporters, seeded weights, quantized on ${calibrating} images by the default recipe;
dB of the outputs against float on 8 other images, codes of every tensor against onnxruntime-node ${version} on the
written file, graph optimizations on, ${inRuntime} of those images.

EfficientNet-Lite0 with its real weights, by itself: default recipe for \`onnxruntime\`, 16 images, 30 s; top-1 of 300 ImageNet
validation images 79.67 in float, 80.33 % in exact integers (difference 0.67 points [-1.49, 2.81]), scores 14.1 dB.

Random weights let the noise of each layer through to the next, which training does not: the dB of such a network say less
about quantization than its codes about exactness.

| network | exporter | layers | target | dB | codes compared | differing |
|---|---|---:|---|---:|---:|---:|
${lines.join('\n')}
`;
}

function record(rows) {
  const file = join(results, 'families.json');
  const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const key = ({ name, exporter }) => `${name} ${exporter}`;
  const made = new Map([...before, ...rows].map((row) => [key(row), row]));
  const all = [...made.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  // Only what the page shows.
  const kept = all.map(({ output, ...row }) =>
    output === undefined ? row : { ...row, output: { sqnrDb: output.sqnrDb } },
  );
  writeFileSync(file, `${JSON.stringify(kept, null, 1)}\n`);
  writeFileSync(join(results, 'families.md'), page(all));
}

function main(args) {
  const [folder, ...wanted] = args.filter((arg) => !arg.startsWith('--'));
  if (folder === undefined) {
    record([]);
    return;
  }
  const facts = JSON.parse(readFileSync(join(folder, 'families.json'), 'utf8'));
  const chosen = facts.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  for (const fact of chosen) {
    const work = mkdtempSync(join(tmpdir(), 'families-'));
    const row = familyRow(folder, fact, work);
    rmSync(work, { recursive: true });
    console.log(sentence(row));
    if (args.includes('--record')) record([row]);
    if (row.failed !== undefined || row.differing > 0) process.exitCode = 1;
  }
}

main(process.argv.slice(2));
