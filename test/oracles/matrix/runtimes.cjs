// SPDX-License-Identifier: Apache-2.0
// The runtimes that run whole networks: how each runs a file, the profile that it should equal, and
// why it cannot run here.
const { execFileSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { environment } = require('../environments.cjs');

const oracles = join(__dirname, '..');
const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
const hasVnni = /avx512_vnni|avx_vnni/.test(flags);

/** The onnxruntime profile of a processor with these features. */
function profileHere() {
  if (process.arch === 'arm64') return 'onnxruntime-arm64';
  if (hasVnni) return 'onnxruntime';
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

/** The Python that has the TFLite runtimes, or why there is none. */
function litertPython() {
  const python = process.env.LASTBIT_ORACLE_PYTHON;
  return python === undefined ? environment('litert') : { python };
}

const ort = (name, profile, before, why) => ({
  name,
  profile,
  why,
  run: (file, inputs, out) => {
    const script = join(oracles, 'ort_run.cjs');
    const [command, ...rest] = [...before, process.execPath, script, file, inputs, out];
    execFileSync(command, [...rest, '--optimize'], { stdio: 'ignore' });
  },
});

const emulated = (cpu, profile) =>
  ort(
    `onnxruntime-node as ${cpu}`,
    profile,
    ['qemu-x86_64', '-cpu', cpu],
    found('qemu-x86_64') ? undefined : 'qemu-x86_64 is not installed',
  );

/** Of ONNX files. */
function onnxRuntimes() {
  const here = profileHere();
  const vnni = ort('onnxruntime-node with VNNI', 'onnxruntime', [], 'this processor has no VNNI');
  return [
    ort('onnxruntime-node', here, []),
    emulated('Haswell', 'onnxruntime-avx2'),
    emulated('Nehalem', 'onnxruntime-sse41'),
    ...(here === 'onnxruntime' ? [] : [vnni]),
  ];
}

/** Of .tflite files. */
function tfliteRuntimes() {
  const { python, reason } = litertPython();
  const litert = (name, profile) => ({
    name,
    profile,
    why: reason,
    run: (file, inputs, out) => {
      const script = join(oracles, 'tflite_run.py');
      execFileSync(python, [script, file, name, inputs, out], { stdio: 'ignore' });
    },
  });
  const wasm = {
    name: 'litert-wasm',
    profile: 'xnnpack',
    run: (file, inputs, out) =>
      execFileSync(process.execPath, [join(oracles, 'litert-wasm.cjs'), file, inputs, out]),
  };
  return [
    wasm,
    litert('litert-ref', 'tflite-ref'),
    litert('litert-builtin', 'tflite-builtin'),
    litert('litert-xnnpack', 'xnnpack'),
    litert('tflm', 'tflm'),
  ];
}

module.exports = { hasVnni, litertPython, onnxRuntimes, profileHere, tfliteRuntimes };
