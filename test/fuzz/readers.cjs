// SPDX-License-Identifier: Apache-2.0
// node test/fuzz/readers.cjs [--reader NAME] [--count N] [--seconds S] [--seed N]: changes small good files at
// random (bytes, cuts, repeats, text, numbers at their bounds) and gives them to the readers in this process.
// Every error has to be one of lastbit's own, and none may take 10 s. Needs dist/ (npm run build:ts).
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const root = join(__dirname, '../..');
const dist = (file) => require(join(root, 'dist', file));
const lastbit = dist('index.js');
const { parseUserTarget } = dist('targets/user-target.js');
const { readConfig, resolveOptions } = dist('cli/config.js');
const { commands } = dist('cli/commands/index.js');
const { readLabels } = dist('data/index.js');
const sharp = require('sharp');

const { values } = parseArgs({
  options: {
    reader: { type: 'string' },
    count: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: '1' },
  },
});

/** mulberry32: the same seed gives the same files. */
function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const bounds = [
  '0',
  '-1',
  '1e999',
  '4294967296',
  '9007199254740993',
  '""',
  'null',
  '{}',
  '[]',
  '"__proto__"',
  '\0',
];

/** One change of bytes. */
function changed(bytes, next) {
  const at = next(bytes.length + 1);
  switch (next(7)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(next(bytes.length + 1))]);
    case 1:
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(bounds[next(bounds.length)]),
        bytes.subarray(at),
      ]);
    case 2:
    case 3: {
      const copy = Buffer.from(bytes);
      const word = [0, 1, 127, 128, 255, next(256)][next(6)];
      copy.fill(word, at, Math.min(copy.length, at + 1 + next(4)));
      return copy;
    }
    default: {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[next(copy.length)] ^= 1 << next(8);
      return copy;
    }
  }
}

async function quantized(model, folder) {
  const output = join(folder, 'net.onnx');
  const calib = join(folder, 'calib.npy');
  const [, channels, height, width] = model.inputs[0].shape;
  const data = Float32Array.from(
    { length: 2 * channels * height * width },
    (_, i) => ((i * 37) % 101) / 50 - 1,
  );
  writeFileSync(
    calib,
    lastbit.writeNpy({ dtype: 'f32', shape: [2, channels, height, width], data }),
  );
  const float = join(folder, 'float.onnx');
  writeFileSync(float, lastbit.writeOnnx(model));
  const document = {
    model: float,
    calib,
    output,
    target: 'tflm',
    recipe: 'naive',
    overwrite: true,
  };
  await lastbit.quantizeModel(document);
  return lastbit.importQuantized(lastbit.readOnnxFile(output));
}

/** Conv, ReLU6, depthwise, add, pool, dense: small, so that most changes meet structure. */
function smallNet() {
  const f32 = (shape) => ({
    dtype: 'f32',
    shape,
    data: Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => ((i * 29) % 17) / 17 - 0.4,
    ),
  });
  const conv = (name, input, weight, group, kernel) => ({
    ...{ op: 'Conv', name, inputs: [input, weight, ''], outputs: [name], group, dilations: [1, 1] },
    ...{ kernel: [kernel, kernel], strides: [1, 1], pads: Array(4).fill((kernel - 1) / 2) },
    clamp: { lo: Float32Array.of(0), hi: Float32Array.of(6) },
  });
  const shapes = Object.entries({
    x: [1, 3, 6, 6],
    a: [1, 4, 6, 6],
    b: [1, 4, 6, 6],
    c: [1, 4, 6, 6],
    y: [1, 4, 1, 1],
  });
  return {
    name: 'net',
    inputs: [{ name: 'x', dtype: 'f32', shape: [1, 3, 6, 6] }],
    outputs: [{ name: 'y', dtype: 'f32', shape: [1, 4, 1, 1] }],
    nodes: [
      conv('a', 'x', 'wa', 1, 3),
      conv('b', 'a', 'wb', 4, 3),
      { op: 'Add', name: 'c', inputs: ['a', 'b'], outputs: ['c'] },
      { op: 'GlobalAveragePool', name: 'y', inputs: ['c'], outputs: ['y'] },
    ],
    constants: new Map([
      ['wa', f32([4, 3, 3, 3])],
      ['wb', f32([4, 1, 3, 3])],
    ]),
    ...{ shapes: new Map(shapes), normalizations: new Map(), metadata: new Map() },
  };
}

/** Each reader: good files, and what reads one. */
async function readers(folder) {
  const float = smallNet();
  const graph = await quantized(float, folder);
  const tflm = lastbit.findTarget('tflm');
  const bytes = (x) => Buffer.from(x);
  const asFile = (name, use) => (data) => {
    writeFileSync(join(folder, name), data);
    return use(join(folder, name));
  };
  const pixels = sharp(Buffer.alloc(8 * 6 * 3, 90), { raw: { width: 8, height: 6, channels: 3 } });
  const images = await Promise.all(
    ['jpeg', 'png', 'webp', 'tiff', 'gif'].map((f) => pixels.clone()[f]().toBuffer()),
  );
  const quantOnnx = (data) => lastbit.lower(lastbit.importQuantized(lastbit.readOnnx(data)), tflm);
  const run = commands.find(({ name }) => name === 'run');
  return {
    float: [
      [bytes(lastbit.writeOnnx(float))],
      (data) => lastbit.canonicalize(lastbit.importOnnx(lastbit.readOnnx(data))),
    ],
    qdq: [[bytes(lastbit.writeQdq(graph))], quantOnnx],
    qop: [[bytes(lastbit.writeQop(graph))], quantOnnx],
    tflite: [
      [bytes(lastbit.writeTflite(graph))],
      (data) => lastbit.lower(lastbit.importTflite(data), tflm),
    ],
    lbp: [[bytes(lastbit.encode(lastbit.lower(graph, tflm)))], lbpReader],
    npy: [
      [bytes(readFileSync(join(folder, 'calib.npy')))],
      (data) => lastbit.readNpy(data, 'array'),
    ],
    csv: [[bytes('file,label\na.png,1\n"b ""c"".png",2\n')], asFile('labels.csv', readLabels)],
    target: [
      [bytes('{"id":"own@1","extends":"tflm","summary":"own"}')],
      targetReader(parseUserTarget),
    ],
    config: [
      [bytes('{"run":{"model":"m","taps":["a"],"limit":3},"target":"tflm"}')],
      asFile('c.json', (file) =>
        resolveOptions(run, { model: 'm', ...readConfig(file, run, commands) }),
      ),
    ],
    image: [images, asFile('image', (file) => lastbit.decodeImage(file))],
  };
}

/** The checksum is made good, or nothing behind it is ever reached; what TypeScript takes, C++ takes as well. */
function lbpReader(data) {
  if (data.length > 16) {
    data.writeUInt32LE(data.length, 8);
    data.writeUInt32LE(require('node:zlib').crc32(data.subarray(16)), 12);
  }
  const program = lastbit.decode(data);
  lastbit.Engine.load(lastbit.encode(program), { threads: 1 }).close();
}

const targetReader = (parse) => (data) => parse(data.toString('utf8'), 'own.json');

async function fuzz(name, [seeds, read], limits) {
  const next = random(Number(values.seed));
  const until = Date.now() + 1000 * limits.seconds;
  const findings = [];
  let [done, taken] = [0, 0];
  for (; done < limits.count && Date.now() < until; done++) {
    let data = seeds[next(seeds.length)];
    for (let changes = 1 + next(4); changes > 0; changes--) data = changed(data, next);
    const started = performance.now();
    try {
      await read(Buffer.from(data));
      taken++;
    } catch (error) {
      if (!(error instanceof lastbit.LastbitError))
        findings.push({ data: data.toString('base64'), error: error.stack });
    }
    if (performance.now() - started > 10_000)
      findings.push({ data: data.toString('base64'), error: 'slow' });
  }
  console.log(JSON.stringify({ reader: name, done, taken, findings: findings.length }));
  for (const { data, error } of findings.slice(0, 3))
    console.log(`${error}\n${data.slice(0, 4000)}`);
  return findings.length;
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'lastbit-fuzz-'));
  try {
    const all = Object.entries(await readers(folder)).filter(
      ([name]) => values.reader === undefined || values.reader.split(',').includes(name),
    );
    const limits = { count: Number(values.count), seconds: Number(values.seconds) / all.length };
    for (const [name, reader] of all)
      if ((await fuzz(name, reader, limits)) > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
void main();
