// SPDX-License-Identifier: Apache-2.0
// Every runtime that is at hand against its profile, every activation: prints one line for each
// pair of runtime and network, and why the others are skipped. Needs the built package.
//
//     node matrix.cjs [NAME...]     only cases whose line holds every NAME
//
// LASTBIT_DATA: real networks. LASTBIT_ORACLE_PYTHON: a Python with requirements.txt installed.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { readNpy } = require('../../dist/data/npy.js');
const { goldenInputs } = require('./inputs.cjs');

const root = join(__dirname, '../..');
const data = process.env.LASTBIT_DATA;
const python = process.env.LASTBIT_ORACLE_PYTHON;
const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';

/** The onnxruntime profile of a processor with these features. */
function profileHere() {
  if (process.arch === 'arm64') return 'onnxruntime-arm64';
  if (/avx512_vnni|avx_vnni/.test(flags)) return 'onnxruntime';
  return /\bavx2\b/.test(flags) ? 'onnxruntime-avx2' : 'onnxruntime-sse41';
}

function found(command) {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const noQemu = found('qemu-x86_64') ? undefined : 'qemu-x86_64 is not installed';
const noPython = python === undefined ? 'LASTBIT_ORACLE_PYTHON is not set' : undefined;
const noData = data === undefined ? 'LASTBIT_DATA is not set' : undefined;

/** Runtimes: how each runs a file, the profile, and why it cannot. */
const ort = (name, profile, before, why) => ({
  name,
  profile,
  why,
  run: (file, inputs, out) => {
    const script = join(__dirname, 'ort_run.cjs');
    const [command, ...rest] = [...before, process.execPath, script, file, inputs, out];
    execFileSync(command, [...rest, '--optimize'], { stdio: 'ignore' });
  },
});

const here = profileHere();
const ortRuntimes = [
  ort('onnxruntime-node', here, []),
  ort(
    'onnxruntime-node as Haswell',
    'onnxruntime-avx2',
    ['qemu-x86_64', '-cpu', 'Haswell'],
    noQemu,
  ),
  ort(
    'onnxruntime-node as Nehalem',
    'onnxruntime-sse41',
    ['qemu-x86_64', '-cpu', 'Nehalem'],
    noQemu,
  ),
  ...(here === 'onnxruntime'
    ? []
    : [ort('onnxruntime-node with VNNI', 'onnxruntime', [], 'this processor has no VNNI')]),
];

const litert = (name, profile) => ({
  name,
  profile,
  why: noPython,
  run: (file, inputs, out) =>
    execFileSync(python, [join(__dirname, 'tflite_run.py'), file, name, inputs, out], {
      stdio: 'ignore',
    }),
});

const tfliteRuntimes = [
  {
    name: 'litert-wasm',
    profile: 'xnnpack',
    run: (file, inputs, out) =>
      execFileSync(process.execPath, [join(__dirname, 'litert-wasm.cjs'), file, inputs, out]),
  },
  litert('litert-ref', 'tflite-ref'),
  litert('litert-builtin', 'tflite-builtin'),
  litert('litert-xnnpack', 'xnnpack'),
];
const withMicro = [...tfliteRuntimes, litert('tflm', 'tflm')];

const model = (name) => join(data ?? '', 'models/quantized', name);
const golden = (name) => join(root, 'test/golden/mobilenet_fashion', name);

async function codes(size, type, folder) {
  const facts = { height: size, width: size, type, noise: 2, images: 20 };
  const parts = [];
  for await (const image of goldenInputs(facts, join(data, folder))) parts.push(image);
  return parts;
}

/** Images of the embedded nets: f32, NCHW, grey in three channels. */
function fashion() {
  const file = join(root, 'models/fashion/calibration-images.npy');
  const { shape, data: pixels } = readNpy(readFileSync(file), file);
  const area = shape[1] * shape[2];
  const all = Float32Array.from({ length: 20 * 3 * area }, (_, i) => {
    const image = Math.floor(i / (3 * area));
    return Number(pixels[(100 + image) * area + (i % area)]) / 255;
  });
  return [Buffer.from(all.buffer)];
}

const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

/** Images under torchvision's normalization: f32, NCHW. */
async function normalized() {
  const images = await codes(224, 'u8', 'imagenet/val/images');
  const area = 224 * 224;
  return images.map((pixels) => {
    const reals = Float32Array.from({ length: 3 * area }, (_, i) => {
      const c = Math.floor(i / area);
      return (pixels[(i % area) * 3 + c] / 255 - mean[c]) / deviation[c];
    });
    return Buffer.from(reals.buffer);
  });
}

const photos = (size) => () => codes(size, 'u8', 'imagenet/val/images');
const cases = [
  { file: golden('v2_qdq.onnx'), runtimes: ortRuntimes, inputs: fashion },
  { file: golden('v2_qop.onnx'), runtimes: ortRuntimes, inputs: fashion },
  {
    file: model('mobilenet_v2_1.0_224_torchvision_qop.onnx'),
    runtimes: ortRuntimes,
    inputs: normalized,
    why: noData,
  },
  {
    file: model('mobilenet_v1_0.25_96_vww_int8.tflite'),
    runtimes: withMicro,
    inputs: () => codes(96, 's8', 'vww/images'),
    why: noData,
  },
  ...[
    ['mobilenet_v1_0.25_128_quant', 128],
    ['mobilenet_v2_1.0_224_quant', 224],
    ['mobilenet_v1_1.0_224_quant_backbone', 224],
  ].map(([name, size]) => ({
    file: model(`${name}.tflite`),
    runtimes: tfliteRuntimes,
    inputs: photos(size),
    why: noData,
  })),
];

/** compare.cjs's line for one target: "... values, N differing". */
function compare(file, inputs, out, profile) {
  const reals = file.endsWith('.onnx') ? ['--reals'] : [];
  const script = join(__dirname, 'compare.cjs');
  const text = execFileSync(process.execPath, [script, file, inputs, out, profile, ...reals]);
  return text.toString().trim();
}

async function main(wanted) {
  let failed = 0;
  for (const { file, runtimes, inputs, why } of cases) {
    const scratch = mkdtempSync(join(tmpdir(), 'lastbit-matrix-'));
    for (const runtime of runtimes) {
      const label = `${file.split('/').at(-1)} under ${runtime.name}`;
      if (!wanted.every((word) => label.includes(word))) continue;
      const reason = why ?? runtime.why;
      if (reason !== undefined) {
        console.log(`${label}: skipped, ${reason}`);
        continue;
      }
      const [input, out] = [join(scratch, 'inputs.bin'), join(scratch, 'out')];
      if (!existsSync(input)) writeFileSync(input, Buffer.concat(await inputs()));
      try {
        runtime.run(file, input, out);
        const line = compare(file, input, out, runtime.profile);
        console.log(`${label}: ${line}`);
        failed += / values, 0 differing$/.test(line) ? 0 : 1;
      } catch (error) {
        console.log(`${label}: failed, ${error.message.split('\n')[0]}`);
        failed += 1;
      }
      rmSync(out, { recursive: true, force: true });
    }
    rmSync(scratch, { recursive: true });
  }
  if (failed > 0) process.exitCode = 1;
}

void main(process.argv.slice(2));
