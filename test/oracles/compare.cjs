// SPDX-License-Identifier: Apache-2.0
// Compares what a runtime computed (a folder of tflite_run.py or ort_run.py) with lastbit's engine
// under one or more targets. Needs the built package.
//
//     node compare.cjs MODEL INPUTS FOLDER TARGET... [--isolated] [--reals] [--interpreted]
//
// --interpreted takes the TypeScript interpreter instead of the engine. Accumulated: every tensor follows from the image. --isolated instead feeds each operation the
// runtime's own inputs, which tells whose fault a difference is. --reals: INPUTS holds f32, NCHW.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const dist = join(__dirname, '../../dist');
const { importTflite } = require(join(dist, 'tflite/import.js'));
const { importQuantized } = require(join(dist, 'onnx/quantized/import.js'));
const { readOnnxFile } = require(join(dist, 'onnx/file/reader.js'));
const { quantizeInput } = require(join(dist, 'program/input.js'));
const { lower } = require(join(dist, 'program/lower.js'));
const { Engine } = require(join(dist, 'engine/engine.js'));
const { interpret } = require(join(dist, 'program/interpret.js'));
const { findTarget } = require(join(dist, 'targets/index.js'));

const arrays = { u8: Uint8Array, s8: Int8Array, s16: Int16Array, s32: Int32Array };

function read(file) {
  return file.endsWith('.onnx')
    ? importQuantized(readOnnxFile(file))
    : importTflite(readFileSync(file), file);
}

const codesOf = (dtype, buffer) =>
  new arrays[dtype](buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length));

/** The runtime's codes by tensor name. */
function readDump(folder) {
  const { tensors, images } = JSON.parse(readFileSync(join(folder, 'tensors.json'), 'utf8'));
  const byName = new Map();
  for (const { name, file, aliases = [] } of tensors) {
    const codes = readFileSync(join(folder, file));
    for (const known of [name, ...aliases]) byName.set(known, codes);
  }
  return { byName, images };
}

function addDifferences(stats, name, got, want) {
  const row = stats.get(name) ?? { values: 0, differing: 0, largest: 0 };
  stats.set(name, row);
  row.values += got.length;
  if (got.length !== want.length)
    throw new Error(`${name}: ${got.length} codes, not ${want.length}`);
  for (let i = 0; i < got.length; ++i) {
    if (got[i] === want[i]) continue;
    row.differing += 1;
    row.largest = Math.max(row.largest, Math.abs(got[i] - want[i]));
  }
}

const slice = (buffer, images, i) => {
  const size = buffer.length / images;
  return buffer.subarray(i * size, (i + 1) * size);
};

/** f32 NCHW images as the codes of a program's input. */
function quantized(program, raw, images) {
  const reals = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
  const size = reals.length / images;
  const codes = Array.from({ length: images }, (_, i) =>
    Buffer.from(quantizeInput(program, reals.subarray(i * size, (i + 1) * size))),
  );
  return Buffer.concat(codes);
}

const interpreter = (program) => ({
  runSync: (codes, options) => interpret(program, codes, options),
  close: () => undefined,
});
const load = process.argv.includes('--interpreted')
  ? interpreter
  : (program) => Engine.load(program);

function accumulated(program, inputs, dump) {
  const engine = load(program);
  const { dtype } = program.tensors[program.input];
  const stats = new Map();
  for (let i = 0; i < dump.images; ++i) {
    const { taps } = engine.runSync(codesOf(dtype, slice(inputs, dump.images, i)), { taps: 'all' });
    for (const [name, tensor] of taps) {
      const want = dump.byName.get(name);
      if (want === undefined) continue;
      addDifferences(stats, name, tensor.data, codesOf(tensor.dtype, slice(want, dump.images, i)));
    }
  }
  engine.close();
  return stats;
}

/** Each operation alone, as a program of its own; operations of two inputs get them concatenated. */
function isolated(program, inputs, dump) {
  const stats = new Map();
  const sources = new Map(dump.byName);
  sources.set(program.tensors[program.input].name, inputs);
  for (const op of program.ops) {
    const names = [...op.inputs, op.output].map((t) => program.tensors[t].name);
    const output = names.pop();
    if (new Set(names).size !== 1 || ![...names, output].every((n) => sources.has(n))) continue;
    const single = {
      ...program,
      tensors: [program.tensors[op.inputs[0]], program.tensors[op.output]],
      input: 0,
      outputs: [1],
      ops: [{ ...op, inputs: op.inputs.map(() => 0), output: 1 }],
    };
    const engine = load(single);
    const [from, to] = single.tensors;
    for (let i = 0; i < dump.images; ++i) {
      const codes = codesOf(from.dtype, slice(sources.get(names[0]), dump.images, i));
      const [{ data }] = engine.runSync(codes).outputs;
      addDifferences(
        stats,
        output,
        data,
        codesOf(to.dtype, slice(sources.get(output), dump.images, i)),
      );
    }
    engine.close();
  }
  return stats;
}

function main(args) {
  const [file, inputFile, folder, ...targets] = args.filter((arg) => !arg.startsWith('--'));
  const raw = readFileSync(inputFile);
  const dump = readDump(folder);
  const graph = read(file);
  for (const target of targets) {
    let program;
    try {
      program = lower(graph, findTarget(target));
    } catch (error) {
      console.log(`${target}: ${error.message.slice(0, 300)}`);
      continue;
    }
    const inputs = args.includes('--reals') ? quantized(program, raw, dump.images) : raw;
    const run = args.includes('--isolated') ? isolated : accumulated;
    const stats = run(program, inputs, dump);
    const missing = program.tensors.filter(({ name }) => !stats.has(name)).map(({ name }) => name);
    const rows = [...stats.values()];
    const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
    console.log(
      `${target}: ${stats.size} tensors, ${total('values')} values, ${total('differing')} differing`,
    );
    const kinds = new Map(program.ops.map((op) => [program.tensors[op.output].name, op.op]));
    const bad = [...stats].filter(([, { differing }]) => differing > 0);
    for (const [name, row] of bad.slice(0, args.includes('--all') ? 1000 : 3)) {
      console.log(
        `   ${kinds.get(name)} ${name.slice(0, 60)}: ${row.differing}/${row.values}, by ${row.largest}`,
      );
    }
    if (args.includes('--missing')) console.log(`   not compared: ${missing.join(', ')}`);
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
