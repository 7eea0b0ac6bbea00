// SPDX-License-Identifier: Apache-2.0
// LiteRT.js (TFLite with XNNPACK as WebAssembly) in plain Node. The package is made for browsers;
// here its module is evaluated directly, in the build without relaxed SIMD, which every Node runs.
// As a script it writes what tflite_run.py writes:
//
//     node litert-wasm.cjs MODEL INPUTS OUT
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');
const { compileFunction } = require('node:vm');
const { withAllOutputs } = require('./all-outputs.cjs');

const build = 'litert_wasm_compat_internal';

function packageFolder() {
  // The package exports no path to its folder; its entry point lies in dist/.
  return dirname(dirname(require.resolve('@litertjs/core')));
}

async function loadModule() {
  const folder = join(packageFolder(), 'wasm');
  const source = readFileSync(join(folder, `${build}.js`), 'utf8');
  const evaluate = compileFunction(`${source};return ModuleFactory;`, ['require', '__dirname']);
  const lines = [];
  const log = (line) => lines.push(line);
  const factory = evaluate(require, folder);
  const wasm = await factory({
    wasmBinary: readFileSync(join(folder, `${build}.wasm`)),
    print: log,
    printErr: log,
  });
  wasm.setupLogging();
  return { wasm, lines };
}

/** One interpreter for many files. */
class LiteRtWasm {
  static async load() {
    const { wasm, lines } = await loadModule();
    return new LiteRtWasm(wasm, lines);
  }

  constructor(wasm, lines) {
    this.wasm = wasm;
    this.lines = lines;
    this.environment = wasm.LiteRtEnvironment.create(null);
    const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'));
    this.version = `@litertjs/core ${version}`;
  }

  /**
   * Runs a file on inputs (bytes of codes) and yields, for each, the bytes of every activation.
   *
   * @throws Error with the runtime's words where it refuses the file
   */
  async *run(bytes, inputs) {
    const { wasm, environment, lines } = this;
    lines.length = 0;
    const pointer = wasm._malloc(bytes.length);
    wasm.HEAPU8.set(bytes, pointer);
    const held = [];
    const keep = (object) => {
      held.push(object);
      return object;
    };
    try {
      const model = keep(wasm.loadModel(environment, pointer, bytes.length));
      const options = {
        environment: { liteRtEnvironment: environment },
        accelerator: 'wasm',
        cpuOptions: { numThreads: 1 },
        gpuOptions: {},
        webNNOptions: {},
      };
      const compiled = keep(await wasm.compileModel(environment, model, options));
      const type = keep(model.getInputTensorType(0, 0));
      for await (const codes of inputs) {
        if (codes.byteLength !== type.bytes()) {
          throw new Error(`its input has ${type.bytes()} bytes, the codes ${codes.byteLength}`);
        }
        const input = wasm.LiteRtTensorBuffer.createManaged(
          environment,
          wasm.LiteRtTensorBufferType.HOST_MEMORY,
          type,
          type.bytes(),
        );
        this.write(input, codes);
        const outputs = await compiled.run(0, [input]);
        yield outputs.map((output) => this.read(output));
        for (const buffer of [input, ...outputs]) buffer.delete();
      }
    } catch (error) {
      const words = lines.filter((line) => /^(ERROR|WARNING)/.test(line)).slice(-2);
      throw new Error([error.message ?? String(error), ...words].join('; '), { cause: error });
    } finally {
      for (const object of held.reverse()) object.delete();
      wasm._free(pointer);
    }
  }

  write(buffer, codes) {
    const at = buffer.lock(this.wasm.LiteRtTensorBufferLockMode.WRITE);
    this.wasm.HEAPU8.set(new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength), at);
    buffer.unlock();
  }

  read(buffer) {
    const at = buffer.lock(this.wasm.LiteRtTensorBufferLockMode.READ);
    const codes = this.wasm.HEAPU8.slice(at, at + buffer.packedSize());
    buffer.unlock();
    return codes;
  }
}

module.exports = { LiteRtWasm };

async function main([file, inputFile, out]) {
  const original = readFileSync(file);
  const { bytes, names } = withAllOutputs(original);
  const raw = readFileSync(inputFile);
  const runtime = await LiteRtWasm.load();
  const { importTflite } = require('../../dist/tflite/import.js');
  const graph = importTflite(original, file);
  const { shape, dtype } = graph.values.get(graph.input);
  const size = shape.reduce((product, n) => product * n, dtype === 's16' ? 2 : 1);
  const images = Array.from({ length: raw.length / size }, (_, i) =>
    raw.subarray(i * size, (i + 1) * size),
  );
  const parts = names.map(() => []);
  for await (const outputs of runtime.run(bytes, images)) {
    outputs.forEach((codes, i) => parts[i].push(codes));
  }
  mkdirSync(out, { recursive: true });
  const sha256 = (data) => createHash('sha256').update(data).digest('hex');
  const tensors = parts.map((list, i) => {
    const data = Buffer.concat(list);
    writeFileSync(join(out, `${i}.bin`), data);
    return { name: names[i], file: `${i}.bin`, values: data.length, sha256: sha256(data) };
  });
  const record = {
    runtime: 'litert-wasm',
    version: runtime.version,
    model: { file: basename(file), sha256: sha256(original) },
    images: images.length,
    inputs: sha256(raw),
    tensors,
  };
  writeFileSync(join(out, 'tensors.json'), JSON.stringify(record, null, 1));
}

if (require.main === module) void main(process.argv.slice(2));
