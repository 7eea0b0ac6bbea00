// SPDX-License-Identifier: Apache-2.0
import type { QuantConv, QuantGraph } from '../../src/graph/quant-graph.js';
import { notesOf, programOf } from '../../src/pipeline/choose-program.js';
import type { QuantizedModel } from '../../src/pipeline/load-model.js';
import { evidenceOf } from '../../src/pipeline/target-choice.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

function run(
  origin: QuantGraph['origin'],
  dtype: 's8' | 'u8',
  target: string,
  clamp?: QuantConv['clamp'],
) {
  const values = [value('x', [1, 1, 1, 1], { dtype }), value('y', [1, 1, 1, 1], { dtype })];
  const layer = convNode(1, 1, clamp ? { clamp } : {});
  const quantGraph = { ...graphOf(values, [layer]), origin };
  const model = { kind: 'quantized', file: 'net.onnx', quantGraph } as unknown as QuantizedModel;
  const program = programOf(model, target);
  return {
    evidence: evidenceOf(program.target, program.metadata),
    notes: notesOf(model, program).join(),
  };
}

const clampOf = (hi: number) => ({ lo: Float32Array.of(0), hi: Float32Array.of(hi) });

test('onnxruntime runs s8 pairs in float: unverified, with a note', () => {
  for (const target of ['onnxruntime', 'onnxruntime-avx2', 'onnxruntime-sse41']) {
    const { evidence, notes } = run('qdq', 's8', target);
    expect(evidence).toBe('unverified');
    expect(notes).toMatch(/s8 codes in float: codes may differ.*QOperator/);
  }
  expect(run('tflite', 's8', 'onnxruntime').evidence).toBe('unverified');
});

test('onnxruntime runs convolutions with a clamp in float: unverified, with their names', () => {
  const { evidence, notes } = run('qdq', 'u8', 'onnxruntime', clampOf(6));
  expect(evidence).toBe('unverified');
  expect(notes).toMatch(/runs "conv" in float/);
});

test('integer kernels are verified', () => {
  const verified = { evidence: 'verified', notes: '' };
  expect(run('qop', 's8', 'onnxruntime')).toEqual(verified);
  expect(run('qdq', 'u8', 'onnxruntime')).toEqual(verified);
  expect(run('qdq', 'u8', 'onnxruntime', clampOf(255))).toEqual(verified);
  expect(run('qop', 'u8', 'onnxruntime', clampOf(6))).toEqual(verified);
  expect(run('qdq', 's8', 'tflm')).toEqual(verified);
});
