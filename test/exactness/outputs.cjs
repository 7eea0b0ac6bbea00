// SPDX-License-Identifier: Apache-2.0
// Hashes of everything that lastbit writes, so that a change of structure can show that no bit moved:
// quantized files of the embedded networks and of the networks of bench/cases under their recipes and
// targets, and of every quantized model the programs (.lbp) and the other ONNX forms.
//
//   node test/exactness/outputs.cjs [--write] [--only TEXT] [--file FILE.json]
//
// Compares with test/exactness/outputs.json, or writes it. Programs and forms are the same on any
// machine. Quantization runs float networks on onnxruntime, which sums in another order on another
// processor, so those hashes are kept by processor. Real networks need LASTBIT_DATA. Needs `npm run build`.
// Exits with 1 where a hash differs, 2 on bad usage.
const { createHash } = require('node:crypto');
const {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const { tmpdir } = require('node:os');
const { basename, join } = require('node:path');
const { parseArgs } = require('node:util');

const root = join(__dirname, '../..');
process.chdir(root); // Metadata repeats the names of files: they have to be the same everywhere.
const lastbit = require(join(root, 'dist/index.js'));
const { loadQuantizedModel } = require(join(root, 'dist/pipeline/load-model.js'));
const { cpuName } = require(join(root, 'dist/bench/machine.js'));

const { values: options } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    file: { type: 'string', default: join(__dirname, 'outputs.json') },
  },
});
const data = process.env.LASTBIT_DATA;
const scratch = mkdtempSync(join(tmpdir(), 'lastbit-outputs-'));

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** Every recipe and step flag at least once on a small network, and every kind of target. */
const fashionCases = [
  ...[
    'tflm',
    'tflite-u8',
    'xnnpack',
    'onnxruntime',
    'pow2',
    'q31-pc',
    'sheng2018',
    'esp-dl',
    'dpu',
    'k210',
    'nvdla',
  ].flatMap((target) => [{ target }, { target, recipe: 'naive' }]),
  { target: 'tflm', weights: 'per-tensor' },
  { target: 'tflm', activationBits: 16 },
  { target: 'pow2', weightBits: 4 },
  { target: 'tflm', weightBits: 4 },
  { target: 'tflm', dataFree: true },
  { target: 'sheng2018', dataFree: true },
  { target: 'sheng2018', absorbBias: true },
  { target: 'tflm', auto: true, maxDrop: 1 },
  { target: 'sheng2018', biasCorrection: 'iterated' },
  { target: 'tflm', outputRange: 'top' },
  ...['percentile', 'kl', 'output'].map((ranges) => ({ target: 'sheng2018', ranges })),
  { target: 'tflm', weightRanges: 'mse' },
  { target: 'tflm', form: 'qop' },
  ...['adaround', 'descent', 'po2-fisher', 'po2-gradient'].map((name) => ({
    target: 'pow2',
    recipe: `bench/cases/recipes/${name}.json`,
  })),
];

function fashionQuantizations() {
  return ['mobilenet_v1', 'mobilenet_v2', 'sheng'].flatMap((net) =>
    fashionCases.map((how) => ({
      model: `models/fashion/${net}_fashion.onnx`,
      how: {
        ...how,
        ...(how.dataFree ? {} : { calib: 'models/fashion/calibration-images.npy', limit: 16 }),
      },
    })),
  );
}

/** The rows of the accuracy bench, with few images: what is held here is the code, not the quality. */
function imagenetQuantizations() {
  if (data === undefined) return [];
  const cases = JSON.parse(readFileSync(join(root, 'bench/cases/quantization.json'), 'utf8'));
  return cases.accuracy
    .filter(({ quantizedFor }) => quantizedFor === undefined)
    .map(({ net, target, weights, bits, flags = [] }) => {
      const { file, preprocess } = cases.nets[net];
      const dataFree = flags.includes('--data-free');
      const calib = { calib: join(data, 'imagenet/calibration'), limit: 2 };
      return {
        model: join(data, 'models/float', file),
        how: {
          target,
          preprocess,
          ...(weights ? { weights } : {}),
          ...(bits ? { weightBits: bits } : {}),
          ...(dataFree ? { dataFree } : calib),
        },
      };
    });
}

const nameOf = ({ model, how }) =>
  [basename(model, '.onnx')]
    .concat(Object.entries(how).map(([key, value]) => `${key}=${basename(String(value))}`))
    .join(' ');

async function quantize({ model, how }) {
  const output = join(scratch, 'quantized.onnx');
  const document = await lastbit.quantizeModel({ model, ...how, output, overwrite: true });
  const { steps, warnings } = document;
  return {
    file: sha256(readFileSync(output)),
    document: sha256(JSON.stringify({ steps, warnings })),
  };
}

/** What comes out where it comes out; a refusal is an outcome, too. */
function outcome(make) {
  try {
    return sha256(make());
  } catch (error) {
    return `refused: ${error.code ?? error.message}`;
  }
}

/** Forms and programs of a quantized model, which need no float network. */
async function writings(file) {
  const model = await loadQuantizedModel(file);
  const result = {
    qdq: outcome(() => lastbit.writeQdq(model.quantGraph)),
    qop: outcome(() => lastbit.writeQop(model.quantGraph)),
  };
  for (const target of lastbit.allTargets) {
    const program = () => lastbit.lower(model.quantGraph, target);
    result[`${target.id} lbp`] = outcome(() => lastbit.encode(program()));
    result[`${target.id} integer`] = outcome(() => lastbit.writeInteger(program()));
    result[`${target.id} proof`] = outcome(() => JSON.stringify(lastbit.prove(program())));
  }
  return sha256(JSON.stringify(result));
}

function quantizedFiles() {
  // The cases of test/pipeline are models of every kind, with their own right values.
  const committed = readdirFiles('test/golden', ['.onnx', '.tflite']).filter(
    (name) => !name.includes('golden/cases/'),
  );
  const real =
    data === undefined ? [] : readdirFiles(join(data, 'models/quantized'), ['.onnx', '.tflite']);
  return [...committed, ...real];
}

function readdirFiles(folder, endings) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort()
    .map((name) => join(folder, name));
}

async function collect() {
  const wanted = (name) => name.includes(options.only);
  const everywhere = {};
  const here = {};
  for (const file of quantizedFiles()) {
    if (wanted(basename(file))) everywhere[basename(file)] = await writings(file);
  }
  for (const one of [...fashionQuantizations(), ...imagenetQuantizations()]) {
    const name = nameOf(one);
    if (!wanted(name)) continue;
    try {
      here[name] = await quantize(one);
      here[name].writings = await writings(join(scratch, 'quantized.onnx'));
    } catch (error) {
      here[name] = { refused: error.code ?? String(error) };
    }
    process.stderr.write('.');
  }
  process.stderr.write('\n');
  return { everywhere, here };
}

function readKnown() {
  if (!existsSync(options.file)) return { everywhere: {}, byProcessor: {} };
  return JSON.parse(readFileSync(options.file, 'utf8'));
}

/** Names whose values differ; a name that only one side has is listed by `compare`, not here. */
function differing(before, after) {
  return Object.keys(after).filter(
    (name) =>
      before[name] !== undefined && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
}

function compare(known, found) {
  const before = known.byProcessor[cpuName()];
  if (before === undefined)
    console.log(`no quantization is known for "${cpuName()}": not compared`);
  const changed = [
    ...differing(known.everywhere, found.everywhere),
    ...differing(before ?? {}, found.here),
  ];
  const fresh = Object.keys(found.everywhere).filter(
    (name) => known.everywhere[name] === undefined,
  );
  for (const name of changed) console.log(`differs: ${name}`);
  for (const name of fresh) console.log(`not known: ${name}`);
  const count =
    Object.keys(found.everywhere).length + (before ? Object.keys(found.here).length : 0);
  console.log(`${count} outputs, ${changed.length} differ`);
  return changed.length === 0 && count > 0;
}

async function main() {
  const known = readKnown();
  const found = await collect();
  rmSync(scratch, { recursive: true });
  if (!options.write) {
    process.exitCode = compare(known, found) ? 0 : 1;
    return;
  }
  const written = {
    everywhere: { ...known.everywhere, ...found.everywhere },
    byProcessor: {
      ...known.byProcessor,
      [cpuName()]: { ...known.byProcessor[cpuName()], ...found.here },
    },
  };
  writeFileSync(options.file, `${JSON.stringify(written, undefined, 2)}\n`);
  console.log(
    `${Object.keys(found.everywhere).length + Object.keys(found.here).length} outputs written`,
  );
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 70;
});
