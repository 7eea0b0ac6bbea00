// SPDX-License-Identifier: Apache-2.0
// Runs a quantized ONNX file under onnxruntime-node and keeps the codes of every integer activation.
//
//     node ort_run.cjs MODEL INPUTS OUT [--optimize] [--int8]
//
// INPUTS holds the codes of the images, NCHW one after the other, of the type of the model's input
// (f32 for a QDQ file). Activations become outputs of the graph; with --optimize QDQ pairs are fused
// into the integer kernels, which is what runs in practice, so the taps are the outputs of
// QuantizeLinear; --int8 allows them over s8 codes too, which x86 otherwise computes in float.
// Emulated processors: qemu-x86_64 -cpu Haswell $(which node) ort_run.cjs ...
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { basename, join } = require('node:path');
const ort = require('onnxruntime-node');
const { onnx } = require('onnx-proto');

const code = { 2: 'uint8', 3: 'int8' };
const arrays = { uint8: Uint8Array, int8: Int8Array, float32: Float32Array };
const quantized = /^(QLinear|QGemm|QuantizeLinear|Reshape|Flatten|MaxPool|Concat|Transpose)/;

/** Values that hold codes: zero points tell their types, and moves keep them. */
function tapsOf(graph) {
  const constants = new Map(graph.initializer.map((t) => [t.name, t.dataType]));
  const types = new Map(graph.input.map(({ name, type }) => [name, type.tensorType.elemType]));
  const taps = [];
  for (const { opType, input, output } of graph.node) {
    if (!quantized.test(opType)) continue;
    const zero = input.map((name) => constants.get(name)).filter((t) => t === 2 || t === 3);
    const moved = types.get(input[0]);
    const type = /^Q/.test(opType) ? zero.at(-1) : moved;
    if (type !== 2 && type !== 3) continue;
    if (constants.has(input[0])) continue;
    types.set(output[0], type);
    // lastbit calls codes by the real value that they stand for.
    const reals = graph.node.filter(
      (n) => n.opType === 'DequantizeLinear' && n.input[0] === output[0],
    );
    const aliases = [
      ...(opType === 'QuantizeLinear' ? [input[0]] : []),
      ...reals.map((n) => n.output[0]),
    ];
    taps.push({ name: output[0], type, aliases });
  }
  return taps;
}

/** NCHW to NHWC, as lastbit and TFLite store codes. */
function channelsLast({ dims, data }) {
  if (dims.length !== 4) return data;
  const [n, channels, height, width] = dims;
  const result = new data.constructor(data.length);
  const area = height * width;
  for (let i = 0; i < n; ++i) {
    for (let c = 0; c < channels; ++c) {
      const [from, to] = [(i * channels + c) * area, i * channels * area + c];
      for (let p = 0; p < area; ++p) result[to + p * channels] = data[from + p];
    }
  }
  return result;
}

async function main(args) {
  const optimize = args.includes('--optimize');
  const [file, inputFile, out] = args.filter((arg) => !arg.startsWith('--'));
  const bytes = readFileSync(file);
  const model = onnx.ModelProto.decode(bytes);
  const { graph } = model;
  const taps = tapsOf(graph);
  const listed = new Set(graph.output.map(({ name }) => name));
  for (const { name, type } of taps) {
    if (!listed.has(name)) graph.output.push({ name, type: { tensorType: { elemType: type } } });
  }
  const session = await ort.InferenceSession.create(onnx.ModelProto.encode(model).finish(), {
    graphOptimizationLevel: optimize ? 'all' : 'disabled',
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { qdqisint8allowed: args.includes('--int8') ? '1' : '0' } },
  });
  const initializers = new Set(graph.initializer.map(({ name }) => name));
  const input = graph.input.find(({ name }) => !initializers.has(name));
  const shape = input.type.tensorType.shape.dim.map(({ dimValue }) => Number(dimValue) || 1);
  const type = code[input.type.tensorType.elemType] ?? 'float32';
  const raw = readFileSync(inputFile);
  const all = new arrays[type](raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
  const size = shape.reduce((product, n) => product * n, 1);
  const images = all.length / size;
  const parts = new Map(taps.map(({ name }) => [name, []]));
  for (let i = 0; i < images; ++i) {
    const data = all.slice(i * size, (i + 1) * size);
    const results = await session.run({ [input.name]: new ort.Tensor(type, data, shape) });
    for (const [name, list] of parts) {
      const { dims, data: codes } = results[name];
      list.push(Buffer.from(channelsLast({ dims, data: codes }).buffer));
    }
  }
  mkdirSync(out, { recursive: true });
  const sha256 = (data) => createHash('sha256').update(data).digest('hex');
  const tensors = [...parts].map(([name, list], i) => {
    const data = Buffer.concat(list);
    writeFileSync(join(out, `${i}.bin`), data);
    return {
      name,
      file: `${i}.bin`,
      values: data.length,
      sha256: sha256(data),
      aliases: taps[i].aliases,
    };
  });
  const { version } = require('onnxruntime-node/package.json');
  const record = {
    runtime: `onnxruntime${optimize ? '' : ' (optimization off)'}`,
    version: `onnxruntime-node ${version}`,
    model: { file: basename(file), sha256: sha256(bytes) },
    images,
    inputs: sha256(raw),
    tensors,
  };
  writeFileSync(join(out, 'tensors.json'), JSON.stringify(record, null, 1));
}

void main(process.argv.slice(2));
