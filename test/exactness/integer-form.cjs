// SPDX-License-Identifier: Apache-2.0
// Writes models in the form `integer`, runs them in onnxruntime with its optimizations off and on, and
// compares every tensor with the engine, bit for bit; then times both forms, and counts in how many
// codes of the outputs the QDQ form differs. Float models are quantized for each target first.
//
//   node test/exactness/integer-form.cjs [--targets A,B] [--count N] [--images DIR|FILE.npy]
//     [--preprocess P] [--runs N] [--calib DIR] [--json FILE] MODEL...
//
// Without --images the input is noise over all codes; --calib is for float models. --dump FOLDER also
// writes what test/oracles/integer_form.py compares in ONNX's reference evaluator. Exits with 1 where a value differs, 2 on bad
// usage. Needs `npm run build`.
const { mkdirSync, writeFileSync } = require('node:fs');
const { basename, join } = require('node:path');
const { parseArgs } = require('node:util');
const ort = require('onnxruntime-node');
const lastbit = require('../../dist/index.js');
const { encodeModel } = require('../../dist/onnx/file/encode.js');
const { toIntegerModel } = require('../../dist/export-integer/write.js');
const { programOf } = require('../../dist/pipeline/choose-program.js');
const { openInputs } = require('../../dist/pipeline/inputs.js');
const { loadModel } = require('../../dist/pipeline/load-model.js');

const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    targets: { type: 'string' },
    count: { type: 'string', default: '2' },
    images: { type: 'string' },
    preprocess: { type: 'string' },
    calib: { type: 'string' },
    runs: { type: 'string', default: '10' },
    dump: { type: 'string' },
    json: { type: 'string' },
  },
});
if (models.length === 0) {
  console.error('usage: integer-form.cjs [--targets A,B] [--images DIR] MODEL...');
  process.exit(2);
}

const targets = options.targets?.split(',') ?? lastbit.allTargets.map(({ id }) => id);

/** Codes [0, n) of a type, of equal chance; the seed is the number of the image. */
function noise(count, seed) {
  let state = (seed + 1) * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

async function samplesOf(program) {
  const { name, channels, height, width, scale, zeroPoint } = program.tensors[program.input];
  const count = Number(options.count);
  if (options.images === undefined) {
    return Array.from({ length: count }, (_, seed) =>
      noise(channels * height * width, seed).map((x) => (x * 256 - zeroPoint - 0.5) * scale),
    );
  }
  const preset = program.metadata['lastbit.preprocess'];
  const input = { name, channels, height, width };
  const samples = [];
  const inputs = openInputs(input, preset, { ...options, limit: count });
  for await (const sample of inputs.source) samples.push(sample.input);
  return samples;
}

const openSession = (bytes, optimization) =>
  ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: optimization,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });

/** The one input in the shape that the file declares: of a head alone it is [1, C] in a QDQ file. */
function feed(session, real) {
  const [{ name, shape }] = session.inputMetadata;
  return { [name]: new ort.Tensor('float32', real, shape) };
}

/** The model with every tensor of the program as an output. */
function withTaps(model, program) {
  const { name, dtype, channels, height, width } = program.tensors[program.input];
  const { outputs, valueInfo } = model.graph;
  const input = { name: `${name}_codes`, dtype, shape: [1, channels, height, width] };
  const taps = [...outputs, input, ...valueInfo];
  const unique = [...new Map(taps.map((tap) => [tap.name, tap])).values()];
  return { ...model, graph: { ...model.graph, outputs: unique, valueInfo: [] } };
}

/** NHWC codes as NCHW. */
function toNchw(codes, channels) {
  const pixels = codes.length / channels;
  return codes.map((_, i) => codes[(i % pixels) * channels + Math.floor(i / pixels)]);
}

/** The tensors of an integer file by name, as the engine says they must be. */
function expectedTensors(program, engine, real) {
  const codes = lastbit.quantizeInput(program, real);
  const { taps } = engine.runSync(codes, { taps: 'all' });
  const { name, channels } = program.tensors[program.input];
  const expected = new Map([[`${name}_codes`, toNchw(codes, channels)]]);
  for (const { output } of program.ops) {
    const tensor = program.tensors[output];
    const isOutput = program.outputs.includes(output);
    const codesName = isOutput ? `${tensor.name}_codes` : tensor.name;
    expected.set(codesName, toNchw(taps.get(tensor.name).data, tensor.channels));
  }
  return expected;
}

function countDifferences(expected, got) {
  if (expected.length !== got.length) return expected.length;
  return expected.reduce((count, value, i) => count + (value === got[i] ? 0 : 1), 0);
}

async function compare(program, samples, name) {
  const bytes = encodeModel(withTaps(toIntegerModel(program), program));
  const engine = lastbit.Engine.load(program, { threads: 1 });
  const result = { compared: 0, differing: 0 };
  for (const optimization of ['disabled', 'all']) {
    const session = await openSession(bytes, optimization);
    for (const real of samples) {
      const expected = expectedTensors(program, engine, real);
      if (options.dump !== undefined) dump(name, program, bytes, real, expected);
      const got = await session.run(feed(session, real));
      for (const [tensor, want] of expected) {
        const wrong = countDifferences(want, got[tensor].data);
        if (wrong > 0) result.first ??= `${optimization} ${tensor}: ${wrong} of ${want.length}`;
        result.compared += want.length;
        result.differing += wrong;
      }
    }
    await session.release();
  }
  engine.close();
  return result;
}

/** What test/oracles/integer_form.py reads. */
function dump(name, program, bytes, real, expected) {
  const { channels, height, width } = program.tensors[program.input];
  const tensors = Object.fromEntries([...expected].map(([key, codes]) => [key, [...codes]]));
  const shape = [1, channels, height, width];
  mkdirSync(options.dump, { recursive: true });
  writeFileSync(join(options.dump, `${name}.onnx`), bytes);
  const text = JSON.stringify({ input: [...real], shape, expected: tensors });
  writeFileSync(join(options.dump, `${name}.json`), text);
}

/** Median milliseconds of a run on one thread, all optimizations on. */
async function time(bytes, real) {
  const session = await openSession(bytes, 'all').catch(() => undefined);
  if (session === undefined) return null;
  const inputs = feed(session, real);
  const times = [];
  for (let i = 0; i < Number(options.runs); i += 1) {
    const start = performance.now();
    await session.run(inputs);
    times.push(performance.now() - start);
  }
  await session.release();
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}

/** Codes of the outputs that the QDQ form gets otherwise in onnxruntime, its optimizations off. */
async function ofQdq(quantGraph, program, samples) {
  const bytes = lastbit.writeQdq(quantGraph);
  const session = await openSession(bytes, 'disabled');
  const engine = lastbit.Engine.load(program, { threads: 1 });
  const result = { compared: 0, differing: 0 };
  for (const real of samples) {
    const { outputs } = engine.runSync(lastbit.quantizeInput(program, real));
    const got = await session.run(feed(session, real));
    for (const { name, data, channels, scale, zeroPoint } of outputs) {
      if (!(name in got)) continue;
      const codes = got[name].data.map((x) => Math.round(x / scale) + zeroPoint);
      result.compared += data.length;
      result.differing += countDifferences(toNchw(data, channels), codes);
    }
  }
  engine.close();
  await session.release();
  const milliseconds = await time(bytes, samples[0]);
  return { outputs: result, bytes: bytes.length, milliseconds };
}

async function checkTarget(model, file, target) {
  const row = { model: basename(file), target };
  let program;
  let bytes;
  try {
    program = programOf(await quantized(model, file, target), target);
    bytes = lastbit.writeInteger(program);
  } catch (error) {
    return { ...row, refused: error.message };
  }
  const samples = await samplesOf(program);
  const compared = await compare(program, samples, `${basename(file)}.${program.target}`);
  const milliseconds = await time(bytes, samples[0]);
  const { quantGraph } = await quantized(model, file, target);
  const qdq = quantGraph ? { qdq: await ofQdq(quantGraph, program, samples) } : {};
  return { ...row, target: program.target, ...compared, bytes: bytes.length, milliseconds, ...qdq };
}

const made = new Map();

/** A model that is quantized, here if need be; targets that take the same graph share it. */
async function quantized(model, file, target) {
  if (model.kind !== 'float') return model;
  const { id, constraints } = lastbit.findTarget(target);
  const key = `${file} ${JSON.stringify(constraints)}`;
  if (!made.has(key)) {
    const { calib, preprocess } = options;
    const settings = { model: file, calib, preprocess, target: id, recipe: 'naive', limit: 4 };
    made.set(key, (await lastbit.quantizeInMemory(settings)).quantGraph);
  }
  return { kind: 'quantized', file, quantGraph: made.get(key) };
}

async function checkModel(file) {
  const model = await loadModel(file);
  const rows = [];
  for (const target of model.kind === 'program' ? [undefined] : targets) {
    rows.push(await checkTarget(model, file, target));
    console.log(JSON.stringify(rows.at(-1)));
  }
  return rows;
}

async function main() {
  const rows = [];
  for (const file of models) rows.push(...(await checkModel(file)));
  const checked = rows.filter(({ compared }) => compared !== undefined);
  const sum = (key) => checked.reduce((total, row) => total + row[key], 0);
  const total = { compared: sum('compared'), differing: sum('differing'), runs: checked.length };
  console.log(JSON.stringify({ total, refused: rows.filter(({ refused }) => refused).length }));
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(rows, null, 2));
  process.exitCode = total.differing > 0 || total.compared === 0 ? 1 : 0;
}

void main();
