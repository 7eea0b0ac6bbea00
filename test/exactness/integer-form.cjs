// SPDX-License-Identifier: Apache-2.0
// Writes quantized models in the form `integer`, runs them in onnxruntime with its optimizations off
// and on, and compares every tensor with the engine, bit for bit; then times both forms.
//
//   node test/exactness/integer-form.cjs [--targets A,B] [--count N] [--images DIR|FILE.npy]
//     [--preprocess P] [--runs N] [--json FILE] MODEL...
//
// Without --images the input is noise over all codes. Exits with 1 where a value differs, 2 on bad
// usage. Needs `npm run build`.
const { writeFileSync } = require('node:fs');
const { basename } = require('node:path');
const { parseArgs } = require('node:util');
const ort = require('onnxruntime-node');
const lastbit = require('../../dist/index.js');
const { encodeModel } = require('../../dist/onnx/encode.js');
const { toIntegerModel } = require('../../dist/onnx/integer-write/write.js');
const { programOf } = require('../../dist/pipeline/choose-program.js');
const { openInputs } = require('../../dist/pipeline/inputs.js');
const { loadQuantizedModel } = require('../../dist/pipeline/load-model.js');

const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    targets: { type: 'string' },
    count: { type: 'string', default: '2' },
    images: { type: 'string' },
    preprocess: { type: 'string' },
    runs: { type: 'string', default: '10' },
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

function feed(program, real) {
  const { name, channels, height, width } = program.tensors[program.input];
  return { [name]: new ort.Tensor('float32', real, [1, channels, height, width]) };
}

/** The model with every tensor of the program as an output. */
function withTaps(model, program) {
  const { name, dtype } = program.tensors[program.input];
  const { outputs, valueInfo } = model.graph;
  const taps = [...outputs, { name: `${name}_codes`, dtype }, ...valueInfo];
  const unique = [...new Map(taps.map((tap) => [tap.name, tap])).values()];
  return { ...model, graph: { ...model.graph, outputs: unique, valueInfo: [] } };
}

/** Counts values of NHWC codes that an NCHW tensor does not hold. */
function differing(codes, channels, nchw) {
  const pixels = codes.length / channels;
  let count = codes.length === nchw.length ? 0 : codes.length;
  for (let i = 0; i < codes.length && count < codes.length; i += 1) {
    if (codes[(i % pixels) * channels + Math.floor(i / pixels)] !== nchw[i]) count += 1;
  }
  return count;
}

async function compare(program, samples) {
  const bytes = encodeModel(withTaps(toIntegerModel(program), program));
  const engine = lastbit.Engine.load(program, { threads: 1 });
  const result = { compared: 0, differing: 0 };
  for (const optimization of ['disabled', 'all']) {
    const session = await openSession(bytes, optimization);
    for (const real of samples) {
      const codes = lastbit.quantizeInput(program, real);
      const { taps } = engine.runSync(codes, { taps: 'all' });
      const got = await session.run(feed(program, real));
      const input = program.tensors[program.input];
      const expected = [[`${input.name}_codes`, codes, input.channels]];
      for (const [name, tensor] of taps) {
        expected.push([
          `${name}_codes` in got ? `${name}_codes` : name,
          tensor.data,
          tensor.channels,
        ]);
      }
      for (const [name, data, channels] of expected) {
        const wrong = differing(data, channels, got[name].data);
        if (wrong > 0) result.first ??= `${optimization} ${name}: ${wrong} of ${data.length}`;
        result.compared += data.length;
        result.differing += wrong;
      }
    }
    await session.release();
  }
  engine.close();
  return result;
}

/** Median milliseconds of a run on one thread, all optimizations on. */
async function time(bytes, program, real) {
  const session = await openSession(bytes, 'all').catch(() => undefined);
  if (session === undefined) return null;
  const inputs = { [session.inputNames[0]]: Object.values(feed(program, real))[0] };
  const times = [];
  for (let i = 0; i < Number(options.runs); i += 1) {
    const start = performance.now();
    await session.run(inputs);
    times.push(performance.now() - start);
  }
  await session.release();
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}

async function checkTarget(model, file, target) {
  const row = { model: basename(file), target };
  let program;
  let bytes;
  try {
    program = programOf(model, target);
    bytes = lastbit.writeInteger(program);
  } catch (error) {
    return { ...row, refused: error.message };
  }
  const samples = await samplesOf(program);
  const compared = await compare(program, samples);
  const milliseconds = await time(bytes, program, samples[0]);
  return { ...row, target: program.target, ...compared, bytes: bytes.length, milliseconds };
}

async function checkModel(file) {
  const model = await loadQuantizedModel(file);
  const rows = [];
  if (model.kind === 'quantized') {
    const qdq = lastbit.writeQdq(model.quantGraph);
    const program = programOf(model);
    const milliseconds = await time(qdq, program, (await samplesOf(program))[0]);
    rows.push({ model: basename(file), target: 'QDQ form', bytes: qdq.length, milliseconds });
    console.log(JSON.stringify(rows[0]));
  }
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
