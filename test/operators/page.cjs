// SPDX-License-Identifier: Apache-2.0
// OPERATORS.md: which operators each importer knows, from the importers' own registries. Needs the built package.
//
//     node test/operators/page.cjs
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { kinds } = require('./kinds.cjs');

const columns = ['float ONNX', 'QDQ', 'QOperator', 'float TFLite', 'quantized TFLite'];

/** In a registry only to be refused with a reason of its own. */
const alwaysRefused = new Set(['DynamicQuantizeLinear']);

/** Names of a row that a registry has; a dash where it has none. */
function cell(names, known) {
  const found = names.filter((name) => known.has(name) && !alwaysRefused.has(name));
  return found.length === 0 ? '–' : found.join(', ');
}

/** Names of a row that no importer has. */
function refusedIn(names, registries) {
  const isRead = (name) => !alwaysRefused.has(name) && registries.some((known) => known.has(name));
  return names.filter((name) => !isRead(name));
}

/**
 * @param registries operator names: floatOnnx, constants (computed where all inputs are known), qdq (with
 *   integer operators), qOperator (integer operators), floatTflite, tflite
 */
function operatorsPage({ floatOnnx, constants, qdq, qOperator, floatTflite, tflite }) {
  const all = [floatOnnx, constants, qdq, qOperator, floatTflite, tflite];
  const rows = kinds.map(([kind, ...lists]) => {
    const [onnx, integer, lite] = lists.map((list) => list.split(' ').filter(Boolean));
    const cells = [
      cell(onnx, floatOnnx),
      cell(onnx, qdq),
      cell([...integer, ...onnx.filter((name) => qdq.has(name))], new Set([...qOperator, ...qdq])),
      cell(lite, floatTflite),
      cell(lite, tflite),
    ];
    const refused = refusedIn([...onnx, ...integer, ...lite], all);
    return `| ${[kind, ...cells, refused.join(', ')].join(' | ')} |`;
  });
  const folded = [...constants].filter((name) => !floatOnnx.has(name)).sort();
  return `# Operators

Which operators each importer reads, from the importers' registries (\`node test/operators/page.cjs\`; a test
compares). A use that has no integer form is refused by name before anything runs, and \`lastbit inspect\` lists all such
nodes at once. What one target alone has no exact form for is refused by that target, by name.

| operation | ${columns.join(' | ')} | by none |
|---|${columns.map(() => '---|').join('')}---|
${rows.join('\n')}

In ONNX files these are computed where all inputs are constants or shapes, as everything above is: ${folded.join(', ')}, Shape, Size.

- QDQ and QOperator files are read by one importer: a QOperator file may hold any operator of a QDQ file between its pairs.
- Swish in a float graph is a sigmoid and a product, as exporters spell it; LeakyRelu and PRelu are two bounds, a product and
  an addition; GlobalMaxPool and ReduceMax are a pool as large as the image. Split, Slice and Gather of channels and channel
  shuffles are 1 x 1 convolutions with weights of one and zero, which are exact.
- Resizing is of rows and columns, nearest or linear, with ONNX's coordinates half_pixel, pytorch_half_pixel, asymmetric and
  align_corners; cubic, crops and antialias are refused. Nearest runs on every target, linear on LiteRT's (int8, uint8), TFLite
  Micro's (int8) and onnxruntime's.
- LeakyRelu of quantized files is a table on LiteRT's, TFLite Micro's and onnxruntime's targets, GELU on LiteRT's and
  onnxruntime's; other targets refuse them by name. In float graphs LeakyRelu and PRelu run everywhere, as said above.
- Channel shuffles by five axes are read in all formats; QONNX's Quant is read as QuantizeLinear, Clip and DequantizeLinear.
- ArgMax and ARG_MAX at an output are left out, and the scores are the output.
- Softmax, Sigmoid, LogSoftmax, ArgMax and reorderings of axes at the end of a network are left out where no integer form is
  needed, and said.
`;
}

module.exports = { kinds, operatorsPage };

if (require.main === module) {
  const dist = join(__dirname, '../../dist');
  const names = (file, registry) => new Set(require(join(dist, file))[registry].keys());
  const page = operatorsPage({
    floatOnnx: names('onnx/float/ops/index.js', 'operators'),
    constants: names('onnx/float/ops/constants.js', 'evaluators'),
    qdq: names('onnx/quantized/ops/index.js', 'operators'),
    qOperator: names('onnx/quantized/ops/index.js', 'integerOperators'),
    floatTflite: names('tflite/float/ops.js', 'floatOperators'),
    tflite: names('tflite/ops/index.js', 'operators'),
  });
  writeFileSync(join(__dirname, '../../OPERATORS.md'), page);
}
