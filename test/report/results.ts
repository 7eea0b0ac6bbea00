// SPDX-License-Identifier: Apache-2.0
// Documents of every kind about one small network, as their JSON is read.

const models = {
  float: { file: 'nets/net.onnx', sha256: 'f'.repeat(64) },
  quantized: { file: 'out/net.int8.onnx', sha256: '1'.repeat(64) },
};
const { quantized } = models;
const preprocessing = {
  preprocess: 'tf',
  preprocessDecidedBy: '--preprocess',
  geometry: 'auto',
  geometryApplied: { 'centre crop': 4 },
};
const network = [
  { name: 'first', op: 'conv', inputs: [], shape: [8, 8, 4], macs: 4000 },
  { name: 'second', op: 'conv', inputs: ['first'], shape: [4, 4, 8], macs: 1000 },
  { name: 'sum', op: 'add', inputs: ['second', 'first'], shape: [4, 4, 8], macs: 0 },
];
const made = (kind: string) => ({
  ...{ schemaVersion: 1, kind, version: '0.1.0' },
  options: { model: "it's.onnx", target: ['a', 'b'], limit: 4, format: 'json', off: false },
});

const spread = { min: -1, max: 3, channelPrecision: 0.25, constantChannels: 1 };

export const analyze = {
  ...made('analyze'),
  ...preprocessing,
  model: 'nets/net.onnx',
  models: { float: models.float },
  images: 4,
  seenBy: 'images',
  findings: [
    { code: 'outlier-factors', layers: ['first'], what: 'factors up to 249 x', remedy: 'equalize' },
  ],
  kinds: [],
  layers: [
    {
      name: 'first',
      kind: 'convolution',
      channels: 4,
      weights: {
        ...spread,
        perTensor: { medianChannelDb: 12.5, lostChannels: 2 },
        perChannel: { medianChannelDb: 44, lostChannels: 0 },
      },
      activations: { ...spread, medianChannelDb: 31, clampedPercent: 5 },
    },
    { name: 'sum', kind: 'addition', channels: 8 },
  ],
};

export const quantize = {
  ...made('quantize'),
  ...preprocessing,
  ...{ output: 'out/net.int8.onnx', models, form: 'qdq', target: 'tflm@2026.10', method: 'naive' },
  ...{ layers: 2, images: 4, seconds: 1 },
  steps: [{ name: 'weights', changed: '2 layers' }],
  warnings: [],
};

const layer = (name: string, sqnrDb: number | null, sqnrIsolatedDb: number) => ({
  ...{ name, op: 'conv', kind: 'dense', sqnrDb, sqnrIsolatedDb, cosine: 0.99, maxAbsError: 0.5 },
  ...{ rmsErrorLsb: 1.25, rmsErrorIsolatedLsb: 0.5, maxErrorLsb: 9, maxErrorIsolatedLsb: 2 },
  saturatedPercent: 0.125,
});

export const compare = {
  ...made('compare'),
  ...preprocessing,
  ...{ models, network, target: 'tflm@2026.10', evidence: 'verified' },
  layers: [layer('first', null, 30), layer('second', 9.5, 28.25), layer('sum', -2, 20)],
  output: null,
  ...{ top1Agreement: 50, images: 4, notes: [] },
};

export const evaluate = {
  ...made('evaluate'),
  ...preprocessing,
  ...{ model: 'out/net.int8.onnx', models, target: 'tflm@2026.10', evidence: 'verified' },
  ...{ n: 100, top1: 12.5, top1Ci95: [7, 20], top5: 40, tiesAtTopPercent: 3 },
  float: { top1: 70, top5: 90 },
  paired: { delta: -57.5, ci95: [-66, -49], better: 1, worse: 58, pValue: 1e-16 },
  ...{
    labelOffset: 0,
    notes: [],
    detectableDrop: 8.5,
    expect: { name: 'gate', ok: false, checks: [] },
  },
};

const first = {
  ...{ target: 'b@1', layer: 'second', op: 'conv', elements: 128, differing: 3, maxLsb: 1 },
  ...{ cause: 'double rounding', alone: true },
  steps: [{ ingredient: 'double rounding', detail: 'twice to once', changed: 3 }],
};
const equal = { elements: 128, differing: 0, maxLsb: 0 };
const some = { elements: 128, differing: 3, maxLsb: 1 };

const diff = {
  ...made('diff'),
  ...preprocessing,
  ...{ model: 'out/net.int8.onnx', models: { quantized }, targets: ['a@1', 'b@1'] },
  evidence: { 'a@1': 'verified', 'b@1': 'source' },
  refused: [{ target: 'c@1', reason: 'no 8-bit weights' }],
  ...{ images: 1, first, firsts: [{ target: 'b@1', first }], network, notes: [] },
  layers: [
    {
      name: 'x',
      op: 'input',
      others: [{ target: 'b@1', isolated: equal, accumulated: equal, cause: null }],
    },
    {
      name: 'second',
      op: 'conv',
      others: [
        {
          target: 'b@1',
          isolated: some,
          accumulated: some,
          cause: { text: 'double rounding', alone: true },
        },
      ],
    },
  ],
};

const dump = {
  ...{ name: 'second', op: 'conv', file: 'second.npy', dtype: 's8', elements: 128, differing: 2 },
  ...{ maxLsb: 1, layout: 'NHWC', layoutFrom: 'shape', read: 'codes' },
  positions: [{ y: 1, x: 2, channel: 3, expected: 4, got: 5 }],
  hints: ['rounds halves up'],
};

const compareDump = {
  ...made('compare-dump'),
  ...preprocessing,
  ...{ model: 'out/net.int8.onnx', models: { quantized }, target: 'tflm@2026.10' },
  ...{ evidence: 'verified', input: 'x.png', first: dump, layers: [dump] },
  ...{ unmatched: ['other.npy'], missing: ['sum', 'x'.repeat(300)], notes: ['y'.repeat(300)] },
};

export const prove = {
  ...made('prove'),
  ...{
    model: 'out/net.int8.onnx',
    models: { quantized },
    target: 'acc16@1',
    evidence: 'unverified',
  },
  ok: false,
  layers: [
    {
      ...{ name: 'first', op: 'conv', accMin: -40000, accMax: 50000, bitsNeeded: 17, bitsHave: 16 },
      ...{ ok: false, overflow: 'saturate' },
      counterexample: { channel: 3, value: 50000, codes: [127, -128, 127] },
    },
    { name: 'second', op: 'conv', accMin: -9, accMax: 9, bitsNeeded: 5, bitsHave: 16, ok: true },
  ],
  ...{ network, notes: [], seconds: 1 },
};

const bench = {
  ...made('bench'),
  ...{ model: 'out/net.int8.onnx', models: { quantized }, target: 'tflm@2026.10' },
  ...{ cpu: 'some CPU x 2', isa: 'avx2', threads: 1, runs: 50, p50Ms: 1.5, p90Ms: 2, p99Ms: 3 },
  layers: [{ name: 'first', op: 'conv', kernel: 'gemm', ms: 1.25, gmacs: 3 }],
  exact: { compared: 1000, differing: 0, against: ['reference'] },
  machine: { quiet: true, jitter: 1, othersBusyCores: 0 },
  peers: [
    { name: 'onnxruntime-fp32', version: '1.30', p50Ms: 6, ratio: 4 },
    { name: 'onednn-int8', excluded: 'not installed' },
  ],
  network,
};

const golden = {
  ...made('golden'),
  ...{ model: 'out/net.int8.onnx', models: { quantized }, target: 'tflm@2026.10' },
  ...{ evidence: 'verified', out: 'golden', manifest: 'golden/manifest.json' },
  ...{ layers: 3, images: 1, arrays: 12, files: 24, values: 4096, notes: [], seconds: 1 },
};

const verify = {
  ...made('verify'),
  ...{ manifest: 'golden/manifest.json', target: 'tflm@2026.10', ok: false, layers: 3, images: 1 },
  ...{ files: 24, arrays: 12, values: 4096, differing: 1, seconds: 1 },
  first: { kind: 'array', path: 'layers/000/out', layer: 'first', array: 'output' },
};

const experiment = {
  ...made('experiment'),
  ...{ experiment: 'sheng', paper: 'Sheng et al. 2018', images: 100, notes: [] },
  nets: [{ name: 'separable', file: 'models/separable.onnx', sha256: 'a'.repeat(64) }],
  claims: [
    {
      ...{ id: 'collapse', statement: 'The original block collapses', measurement: 'drop' },
      ...{ unit: 'points', value: 68.7, ci95: [60, 77], statistic: 'paired' },
      ...{ verdict: 'refuted', reason: 'no dead channels' },
    },
  ],
  tables: [
    {
      name: 'ladder',
      title: 'The ladder',
      columns: ['net', 'top-1 %'],
      rows: [
        ['separable', null],
        ['sheng', 9.25],
      ],
    },
  ],
};

export const all: Readonly<Record<string, object>> = {
  analyze,
  quantize,
  evaluate,
  compare,
  diff,
  'compare-dump': compareDump,
  prove,
  bench,
  golden,
  verify,
  experiment,
};

/** Another recipe for the same network. */
export function best<Document extends { readonly models: object }>(document: Document): Document {
  const other = { file: 'out/net.best.onnx', sha256: '2'.repeat(64) };
  return { ...document, models: { ...document.models, quantized: other } };
}
