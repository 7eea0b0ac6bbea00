// SPDX-License-Identifier: Apache-2.0
// Runs one quantized file both ways and prints what differs as JSON.
//   node agree.cjs FILE.onnx FOLDER PRESET LIMIT
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const ort = require('onnxruntime-node');

const { Engine, loadQuantizedModel, placeLabel } = require('../../dist/index.js');
const { programOf, quantizeInput, writeInteger } = require('../../dist/index.js');
const { imagesFor } = require('./images.cjs');

/** The file in integers with onnxruntime's own scales and rounding; undefined where it has no such form. */
function openNearest(model) {
  try {
    return Engine.load(programOf(model, 'onnxruntime'), { threads: 1 });
  } catch {
    return undefined;
  }
}

/** onnxruntime without optimizations: float32 between the roundings. */
async function openTheirs(file, { channels, height, width }) {
  const session = await ort.InferenceSession.create(file, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
  });
  return async (input) => {
    const tensor = new ort.Tensor('float32', input, [1, channels, height, width]);
    const result = await session.run({ [session.inputNames[0]]: tensor });
    return result[session.outputNames[0]].data;
  };
}

/** The target's program as integer operators, in onnxruntime without optimizations: codes. */
async function openIntegerForm(program) {
  const options = { graphOptimizationLevel: 'disabled', intraOpNumThreads: 1 };
  const session = await ort.InferenceSession.create(writeInteger(program), options);
  const { channels, height, width } = program.tensors[program.input];
  const codes = session.outputNames.find((name) => name.endsWith('_codes'));
  return async (input) => {
    const tensor = new ort.Tensor('float32', input, [1, channels, height, width]);
    return (await session.run({ [session.inputNames[0]]: tensor }))[codes].data;
  };
}

/** How far apart two classes are in both results, in codes. */
function disagreement(name, own, theirs, ownTop, theirTop) {
  const margins = [own[ownTop] - own[theirTop], theirs[theirTop] - theirs[ownTop]];
  return { name, own: ownTop, theirs: theirTop, margins, tied: margins.includes(0) };
}

async function main([file, folder, preset, limit]) {
  const model = await loadQuantizedModel(file);
  const program = programOf(model);
  const engine = Engine.load(program, { threads: 1 });
  const nearest = openNearest(model);
  const run = await openTheirs(file, program.tensors[program.input]);
  const runInteger = await openIntegerForm(program);
  const integer = { agreeing: 0, differing: 0 };
  const output = program.tensors[program.outputs[0]];
  const disagreeing = [];
  let [images, hits, theirHits, codes, differing, sum, largest] = [0, 0, 0, 0, 0, 0, 0];
  let agreeingNearest = 0;
  for await (const { name, input, label } of imagesFor(program, folder, preset, Number(limit))) {
    const pixels = quantizeInput(program, input);
    const own = (await engine.run(pixels)).outputs[0].data;
    const reals = await run(input);
    const theirs = Array.from(reals, (x) => Math.round(x / output.scale) + output.zeroPoint);
    const [mine, other] = [placeLabel(own, label), placeLabel(theirs, label)];
    images += 1;
    hits += mine.rank === 0;
    theirHits += other.rank === 0;
    if (mine.top !== other.top) {
      disagreeing.push(disagreement(name, own, theirs, mine.top, other.top));
    }
    if (nearest) {
      const like = (await nearest.run(pixels)).outputs[0].data;
      agreeingNearest += placeLabel(like, label).top === other.top;
    }
    const integers = await runInteger(input);
    integer.agreeing += placeLabel(integers, label).top === mine.top;
    integer.differing += own.filter((code, i) => code !== integers[i]).length;
    codes += own.length;
    own.forEach((code, i) => {
      const distance = Math.abs(code - theirs[i]);
      differing += distance > 0;
      sum += distance;
      largest = Math.max(largest, distance);
    });
  }
  engine.close();
  nearest?.close();
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  const percent = (count) => Number(((100 * count) / images).toFixed(2));
  return {
    ...{ target: program.target, sha256, onnxruntime: ort.env.versions.node, images },
    ...{
      agreeing: images - disagreeing.length,
      top1: percent(hits),
      theirTop1: percent(theirHits),
    },
    agreeingNearest: nearest ? agreeingNearest : null,
    integer,
    output: { dtype: output.dtype, codes, differing, mean: sum / codes, largest },
    disagreeing,
  };
}

main(process.argv.slice(2)).then(
  (result) => process.stdout.write(JSON.stringify(result)),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
