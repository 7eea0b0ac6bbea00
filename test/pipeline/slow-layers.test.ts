// SPDX-License-Identifier: Apache-2.0
// Files for onnxruntime: every convolution becomes an integer kernel in its optimized graph, or the
// user is told.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { convertModel } from '../../src/pipeline/convert.js';
import { quantizeModel } from '../../src/pipeline/quantize.js';
import { slowLayers } from '../../src/pipeline/slow-layers.js';
import { findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

const fashion = join(__dirname, '../../models/fashion');
const scratch = mkdtempSync(join(tmpdir(), 'lastbit-slow-'));
const at = (name: string) => join(scratch, name);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** Operators of the graph that onnxruntime makes of a file. */
async function optimized(file: string): Promise<readonly string[]> {
  const optimizedModelFilePath = `${file}.optimized.onnx`;
  const session = await InferenceSession.create(file, {
    graphOptimizationLevel: 'extended',
    optimizedModelFilePath,
    logSeverityLevel: 4,
  });
  await session.release();
  return readOnnx(readFileSync(optimizedModelFilePath)).graph.nodes.map(({ op }) => op);
}

test.each(['v1', 'v2'])('%s: all convolutions of both forms are integer kernels', async (net) => {
  const model = join(fashion, `mobilenet_${net}_fashion.onnx`);
  const calib = join(fashion, 'calibration-images.npy');
  const common = { model, calib, limit: 8, reconstruct: false, preprocess: 'unit' } as const;
  const qdq = at(`${net}.onnx`);
  const { warnings } = await quantizeModel({ ...common, target: 'onnxruntime', output: qdq });
  expect(warnings.filter((text) => text.startsWith('onnxruntime'))).toEqual([]);
  const qop = at(`${net}-qop.onnx`);
  await convertModel({ model: qdq, output: qop, form: 'qop' });
  for (const file of [qdq, qop]) {
    const ops = await optimized(file);
    expect(ops.filter((op) => op === 'QLinearConv').length).toBeGreaterThan(20);
    expect(ops).not.toContain('Conv');
    for (const op of ['Clip', 'Max', 'Min', 'Relu']) expect(ops).not.toContain(op);
  }
});

test('a clamp for each channel is said with what it costs', () => {
  const bounds = { lo: Float32Array.of(0, 0), hi: Float32Array.of(6, 5) };
  const values = [
    value('x', [1, 1, 1, 1], { dtype: 'u8' }),
    value('y', [1, 2, 1, 1], { dtype: 'u8' }),
  ];
  const graph = graphOf(values, [convNode(2, 1, { clamp: bounds })]);
  expect(slowLayers(graph, findTarget('onnxruntime'))).toMatch(
    /1 of 1 convolutions, as their clamps leave out codes \(.* slower\): quantize again for onnxruntime@1\.30/,
  );
  for (const other of ['q31-pc', 'fbgemm']) {
    expect(slowLayers(graph, findTarget(other))).toBeUndefined();
  }
  const open = graphOf(values, [convNode(2, 1)]);
  expect(slowLayers(open, findTarget('onnxruntime'))).toBeUndefined();
});
