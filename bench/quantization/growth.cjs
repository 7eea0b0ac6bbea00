// SPDX-License-Identifier: Apache-2.0
// How the difference between two roundings grows from layer to layer: one quantized file in lastbit's
// integers and in onnxruntime without optimizations, code by code.
//   node growth.cjs FILE.onnx FOLDER PRESET LIMIT
const ort = require('onnxruntime-node');

const { Engine, loadQuantizedModel, programOf, quantizeInput } = require('../../dist/index.js');
const { encodeModel } = require('../../dist/onnx/file/encode.js');
const { toQdqModel } = require('../../dist/onnx/write/qdq.js');
const { imagesFor } = require('./images.cjs');

/** onnxruntime with the codes of every value as outputs, by value. */
async function openCodes({ values, ...graph }) {
  const model = toQdqModel({ values, ...graph });
  const codes = new Map(
    [...values.values()]
      .map((value) => [`${value.name}_QuantizeLinear_Output`, value])
      .filter(([name]) => model.graph.nodes.some(({ outputs }) => outputs[0] === name)),
  );
  const outputs = [...codes].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const bytes = encodeModel({ ...model, graph: { ...model.graph, outputs } });
  const options = { graphOptimizationLevel: 'disabled', intraOpNumThreads: 1 };
  const session = await ort.InferenceSession.create(bytes, options);
  return async (input, { channels, height, width }) => {
    const tensor = new ort.Tensor('float32', input, [1, channels, height, width]);
    const result = await session.run({ [session.inputNames[0]]: tensor });
    return new Map([...codes].map(([name, value]) => [value.name, result[name].data]));
  };
}

/** Codes of an NHWC tensor that are not those of an NCHW one. */
function differing(nhwc, nchw, channels) {
  const positions = nhwc.length / channels;
  let count = 0;
  for (let c = 0; c < channels; c += 1) {
    for (let p = 0; p < positions; p += 1) {
      count += nhwc[p * channels + c] !== nchw[c * positions + p];
    }
  }
  return count;
}

async function main([file, folder, preset, limit]) {
  const { quantGraph, ...model } = await loadQuantizedModel(file);
  const program = programOf({ ...model, quantGraph });
  const engine = Engine.load(program, { threads: 1 });
  const theirs = await openCodes(quantGraph);
  const layers = new Map();
  const images = imagesFor(program, folder, preset, Number(limit));
  for await (const { input } of images) {
    const codes = await theirs(input, program.tensors[program.input]);
    const { taps } = await engine.run(quantizeInput(program, input), { taps: 'all' });
    for (const [name, { data }] of taps) {
      if (!codes.has(name)) continue;
      const [, channels] = quantGraph.values.get(name).shape;
      const known = layers.get(name) ?? { codes: 0, differing: 0 };
      known.codes += data.length;
      known.differing += differing(data, codes.get(name), channels);
      layers.set(name, known);
    }
  }
  engine.close();
  return [...layers].map(([value, counts]) => ({ value, ...counts }));
}

main(process.argv.slice(2)).then(
  (result) => process.stdout.write(JSON.stringify(result)),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
