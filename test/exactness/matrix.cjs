// SPDX-License-Identifier: Apache-2.0
// Runs nets under every target and compares every tap of every executor, bit for bit:
// the TypeScript interpreter (on the first images), the C++ reference and each SIMD tier.
//
//   node test/exactness/matrix.cjs --images DIR|FILE.npy --preprocess P [--count N]
//     [--interpreted N] [--targets A,B] [--threads N] [--json FILE] MODEL.onnx...
//
// Exits with 1 on the first differing value, 2 on bad usage. Needs `npm run build`.
const { writeFileSync } = require('node:fs');
const { basename } = require('node:path');
const { parseArgs } = require('node:util');
const lastbit = require('../../dist/index.js');
const { openInputs } = require('../../dist/pipeline/inputs.js');
const { availableIsas } = require('../../dist/engine/engine.js');

const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string' },
    preprocess: { type: 'string' },
    count: { type: 'string', default: '3' },
    interpreted: { type: 'string', default: '1' },
    targets: { type: 'string' },
    threads: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
if (models.length === 0 || options.images === undefined) {
  console.error('usage: matrix.cjs --images DIR|FILE.npy [--preprocess P] MODEL.onnx...');
  process.exit(2);
}

/** Targets that take the same quantized graph share one quantization. */
function groupByConstraints(targets) {
  const groups = new Map();
  for (const target of targets) {
    const key = JSON.stringify(target.constraints);
    groups.set(key, [...(groups.get(key) ?? []), target]);
  }
  return [...groups.values()];
}

/** Name of the first tensor that differs and how many codes do, over all taps and outputs. */
function compareTaps(expected, actual) {
  let compared = 0;
  let differing = 0;
  let first;
  for (const [name, tensor] of expected.taps) {
    const other = actual.taps.get(name);
    compared += tensor.data.length;
    for (let i = 0; i < tensor.data.length; i += 1) {
      if (other?.data[i] !== tensor.data[i]) {
        differing += 1;
        first ??= `${name}[${i}]: expected ${tensor.data[i]}, got ${other?.data[i]}`;
      }
    }
  }
  return { compared, differing, first };
}

function executors(program) {
  const load = (name, settings) => ({
    name,
    engine: lastbit.Engine.load(program, { threads: Number(options.threads), ...settings }),
  });
  return availableIsas().map((isa) =>
    isa === 'ref' ? load('reference', { reference: true }) : load(isa, { isa }),
  );
}

async function sampleInputs(model, count) {
  const graph = lastbit.canonicalize(lastbit.importOnnx(await lastbit.readOnnxFile(model)));
  const input = {
    name: graph.inputs[0].name,
    channels: graph.inputs[0].shape[1],
    height: graph.inputs[0].shape[2],
    width: graph.inputs[0].shape[3],
  };
  const preset = graph.metadata.get('lastbit.preprocess');
  const inputs = openInputs(input, preset, { ...options, limit: count });
  const samples = [];
  for await (const sample of inputs.source) samples.push(sample.input);
  return samples;
}

async function checkTarget(model, quantGraph, target, samples) {
  const program = lastbit.lower(quantGraph, target);
  const row = {
    model: basename(model),
    target: target.id,
    compared: 0,
    differing: 0,
    executors: [],
  };
  const running = executors(program);
  for (const [index, sample] of samples.entries()) {
    const codes = lastbit.quantizeInput(program, sample);
    const byReference = running[0].engine.runSync(codes, { taps: 'all' });
    const results = running.slice(1).map(({ name, engine }) => ({
      name,
      result: engine.runSync(codes, { taps: 'all' }),
    }));
    if (index < Number(options.interpreted)) {
      results.push({
        name: 'interpreter',
        result: lastbit.interpret(program, codes, { taps: 'all' }),
      });
    }
    for (const { name, result } of results) {
      const { compared, differing, first } = compareTaps(byReference, result);
      if (compared === 0) throw new Error(`${target.id}: nothing was compared`);
      row.compared += compared;
      row.differing += differing;
      if (first) row.first ??= `${name}: ${first}`;
      if (!row.executors.includes(name)) row.executors.push(name);
    }
  }
  for (const { engine } of running) engine.close();
  return row;
}

async function main() {
  const chosen = options.targets?.split(',').map(lastbit.findTarget) ?? lastbit.allTargets;
  const rows = [];
  for (const model of models) {
    const samples = await sampleInputs(model, Number(options.count));
    for (const group of groupByConstraints(chosen)) {
      const { quantGraph } = await lastbit.quantizeInMemory({
        model,
        calib: options.images,
        limit: 8,
        preprocess: options.preprocess,
        recipe: 'naive',
        target: group[0].id,
      });
      for (const target of group) {
        const row = await checkTarget(model, quantGraph, target, samples);
        rows.push(row);
        console.log(
          `${row.model}  ${row.target}: ${row.compared} values compared with the reference ` +
            `(${row.executors.join(', ')}), ${row.differing} differ${row.first ? `; ${row.first}` : ''}`,
        );
      }
    }
  }
  const differing = rows.reduce((sum, row) => sum + row.differing, 0);
  const compared = rows.reduce((sum, row) => sum + row.compared, 0);
  console.log(`${rows.length} cases, ${compared} values, ${differing} differing`);
  if (options.json)
    writeFileSync(options.json, `${JSON.stringify({ schemaVersion: 1, rows }, null, 2)}\n`);
  process.exitCode = differing === 0 ? 0 : 1;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 70;
});
