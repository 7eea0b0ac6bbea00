// SPDX-License-Identifier: Apache-2.0
// The committed goldens, made again by the script that made them and compared with what is
// committed; `npm test` compares lastbit with them. So a runtime that changed its mind, or a golden
// that was touched, shows here.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { inflateSync } = require('node:zlib');
const { environment } = require('../environments.cjs');
const { hasVnni, litertPython, profileHere } = require('./runtimes.cjs');

const oracles = join(__dirname, '..');
const golden = join(oracles, '../golden');
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** Differences and what was compared, of two lists of the same facts. */
function compareLists(was, is, parts) {
  let [values, differing] = [0, was.length === is.length ? 0 : Math.abs(was.length - is.length)];
  was.forEach((one, i) => {
    const [expected, got] = [parts(one), is[i] === undefined ? [] : parts(is[i])];
    values += expected.length;
    expected.forEach((value, k) => {
      differing += value === got[k] ? 0 : 1;
    });
    // Everything else about a case: scales, shapes, weights.
    const rest = (facts) => JSON.stringify({ ...facts, expected: undefined, results: undefined });
    if (got.length !== expected.length || rest(one) !== rest(is[i])) differing += 1;
  });
  return { values, differing };
}

const bytes = (text) => [...Buffer.from(text, 'base64')];
const codesOf = ({ expected }) => bytes(expected);

/** Goldens of one operator each: codes. `leave` says which cases another processor computes. */
const operators = (leave) => (was, is) => {
  const kept = (file) => read(file).cases.filter((one) => !leave?.(one));
  return { unit: 'codes', ...compareLists(kept(was), kept(is), codesOf) };
};

/** Codes of float inputs, by case and runtime. */
function inputs(was, is) {
  const codes = ({ results }) => Object.values(results).flatMap(bytes);
  return { unit: 'bytes', ...compareLists(read(was).cases, read(is).cases, codes) };
}

/** Vela's registers: each pair of a multiplier and a shift. */
function registers(was, is) {
  const pairs = (file) => {
    const { convs, adds, muls, pools } = read(file);
    const of = (list, keys) => list.flatMap((one) => keys.map((key) => JSON.stringify(one[key])));
    return [
      ...of(convs, ['s8', 'u8']),
      ...of(adds, ['in', 'out']),
      ...of(muls, ['out']),
      ...of(pools, ['out']),
    ];
  };
  const [expected, got] = [pairs(was), pairs(is)];
  const differing = expected.filter((pair, i) => pair !== got[i]).length;
  const same = expected.length === got.length;
  return {
    unit: 'register pairs',
    values: expected.length,
    differing: same ? differing : differing + 1,
  };
}

/** Folders of tie_goldens.py: the files themselves, then codes, or hashes of activations. */
function files(was, is) {
  const models = (folder) => readFileSync(join(folder, 'models.bin'));
  const cases = (folder) => Object.entries(read(join(folder, 'goldens.json')).cases);
  const hashes = ({ agreed, runtimes }) =>
    Object.entries({ agreed, ...runtimes }).flatMap(([runtime, tensors]) =>
      Object.entries(tensors).map((entry) => [runtime, ...entry].join(' ')),
    );
  const codes = ({ results }) =>
    results.flatMap(({ codes: text }) => [...inflateSync(Buffer.from(text, 'base64'))]);
  const hashed = cases(was)[0][1].agreed !== undefined;
  let [values, differing] = [0, models(was).equals(models(is)) ? 0 : 1];
  const again = new Map(cases(is));
  for (const [name, one] of cases(was)) {
    const [expected, got] = [one, again.get(name)].map((c) => (hashed ? hashes : codes)(c ?? {}));
    values += expected.length;
    differing += expected.filter((value, k) => value !== got[k]).length;
    differing += Math.abs(expected.length - got.length);
  }
  return { unit: hashed ? 'hashes of activations' : 'codes', values, differing };
}

/** Whole files of which every number has to be the same. */
const numbers = (unit) => (was, is) => {
  const all = (file) => {
    const text = JSON.stringify({ ...read(file), provenance: undefined });
    return text.match(/-?\d+(\.\d+)?(e-?\d+)?|"[0-9a-f]{64}"/g);
  };
  const [expected, got] = [all(was), all(is)];
  const differing = expected.filter((value, i) => value !== got[i]).length;
  return {
    unit,
    values: expected.length,
    differing: differing + Math.abs(expected.length - got.length),
  };
};

function python(name, script, ...options) {
  return (out) => {
    const { python: command } = name === 'litert' ? litertPython() : environment(name);
    execFileSync(command, [join(oracles, script), out, ...options], { stdio: 'pipe' });
  };
}

const needs = (name) => (name === 'litert' ? litertPython() : environment(name)).reason;
const noPairs =
  profileHere() === 'onnxruntime-avx2' ? undefined : 'pairs saturate on AVX2 without VNNI alone';
const header = '/usr/include/gemmlowp/fixedpoint/fixedpoint.h';

/** gemmlowp's own functions, compiled here. */
function gemmlowp(out) {
  const program = `${out}.program`;
  execFileSync('g++', ['-O1', '-std=c++17', join(oracles, 'gemmlowp.cc'), '-o', program]);
  writeFileSync(out, execFileSync(program));
}

const hardware = (name) => join(golden, 'hardware', `${name}.json`);

/** Each golden: its name and place, how it is made again, and why it cannot be. */
function goldens() {
  const litert = needs('litert');
  const data = process.env.LASTBIT_DATA === undefined ? 'LASTBIT_DATA is not set' : undefined;
  const folder = (name, ...options) => ({
    name,
    runtime: 'LiteRT and TFLite Micro',
    file: join(golden, name),
    why: litert,
    make: python('litert', 'tie_goldens.py', ...options),
    compare: files,
  });
  const single = (name, runtime, compare) => ({
    name,
    runtime,
    file: hardware(name),
    why: needs(name),
    make: python(name, `${name}_goldens.py`),
    compare,
  });
  const processor = ({ target }) => target === 'fbgemm-avx2' && hasVnni;
  return [
    folder('ties'),
    folder('wide', '--wide'),
    folder('nets', '--nets'),
    single('torch', 'PyTorch', operators(processor)),
    single('tosa', 'TOSA reference model', operators()),
    single('vela', 'Vela', registers),
    single('qonnx', 'qonnx', operators()),
    {
      ...single('ort', 'onnxruntime', operators()),
      why: litert ?? noPairs,
      make: python('litert', 'ort_goldens.py'),
    },
    {
      name: 'inputs',
      runtime: 'LiteRT and TFLite Micro',
      file: join(golden, 'litert/inputs.json'),
      why: litert,
      make: python('litert', 'input_goldens.py'),
      compare: inputs,
    },
    {
      name: 'written',
      runtime: 'LiteRT and TFLite Micro',
      file: join(golden, 'written.json'),
      why: litert,
      make: (out) => execFileSync(process.execPath, [join(oracles, 'written_goldens.cjs'), out]),
      compare: numbers('counts and hashes'),
    },
    {
      name: 'vww',
      runtime: 'LiteRT',
      file: join(golden, 'litert/vww.json'),
      why: litert ?? data,
      make: python('litert', 'litert.py'),
      compare: numbers('hashes of activations'),
    },
    {
      name: 'fixed-point',
      runtime: 'gemmlowp',
      file: join(golden, 'gemmlowp/fixed-point.json'),
      why: existsSync(header) ? undefined : 'libgemmlowp-dev is not installed',
      make: gemmlowp,
      compare: numbers('numbers'),
    },
  ];
}

/** @returns unit, values and differing of a golden made again below a scratch folder */
function regenerate({ name, file, make, compare }, scratch) {
  mkdirSync(scratch, { recursive: true });
  const out = join(scratch, name);
  make(out);
  return compare(file, out);
}

/** What a committed golden says of its versions. */
function versionOf({ file }) {
  const path = file.endsWith('.json') ? file : join(file, 'goldens.json');
  const { provenance = {} } = read(path);
  if (typeof provenance === 'string') return provenance.split(',')[0];
  const { packages, runtime } = provenance;
  if (packages !== undefined) return packages.join(', ');
  const known = ['torch', 'tosa-tools', 'ethos-u-vela', 'qonnx', 'onnxruntime'];
  const named = known.filter((key) => key in provenance).map((key) => `${key} ${provenance[key]}`);
  return runtime ?? (named.join(', ') || 'see its script');
}

module.exports = { goldens, regenerate, versionOf };
