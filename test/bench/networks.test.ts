// SPDX-License-Identifier: Apache-2.0
import { withActivationType } from '../../src/bench/activation-type.js';
import { dequantizeGraph } from '../../src/bench/dequantize.js';
import { integerForms } from '../../src/bench/peers.js';
import { randomCodes, realsOf } from '../../src/bench/random-codes.js';
import { openFileRunner, openFloatRunner } from '../../src/float/runner.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized, quantizationState } from '../../src/onnx/quantized/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { tinyNet } from './tiny-net.js';

describe('withActivationType', () => {
  it('gives every code the same real value', () => {
    const unsigned = withActivationType(tinyNet(), 'u8');
    for (const [name, before] of tinyNet().values) {
      const after = unsigned.values.get(name)!;
      expect([after.dtype, after.zeroPoint]).toEqual(['u8', before.zeroPoint + 128]);
      expect(after.scale).toBe(before.scale);
    }
    expect(withActivationType(unsigned, 's8')).toEqual(tinyNet());
  });

  it('moves half the range of narrow codes and leaves wide ones alone', () => {
    const graph = tinyNet();
    const values = new Map(graph.values)
      .set('wide', { ...graph.values.get('wide')!, bits: 4, zeroPoint: -8 })
      .set('logits', { ...graph.values.get('logits')!, dtype: 's16', bits: 16 });
    const unsigned = withActivationType({ ...graph, values }, 'u8');
    expect(unsigned.values.get('wide')!.zeroPoint).toBe(0);
    expect(unsigned.values.get('logits')).toEqual(values.get('logits'));
  });

  it('changes no output of the program but by 128', () => {
    const target = findTarget('onnxruntime');
    const signed = lower(withActivationType(tinyNet(), 's8'), target);
    const unsigned = lower(withActivationType(tinyNet(), 'u8'), target);
    const codes = randomCodes(signed.tensors[signed.input]!, 5) as Int8Array;
    const before = interpret(signed, codes).outputs[0]!.data;
    const after = interpret(
      unsigned,
      Uint8Array.from(codes, (code) => code + 128),
    ).outputs[0]!.data;
    expect([...after]).toEqual([...before].map((code) => code + 128));
    expect(new Set(after).size).toBeGreaterThan(3);
  });
});

test('the dequantized network is what the integers approximate', async () => {
  const graph = tinyNet();
  const tensor = { dtype: 's8', height: 12, width: 12, channels: 3 } as const;
  const value = graph.values.get('image')!;
  const input = realsOf({ ...tensor, ...value, dtype: 's8' }, randomCodes(tensor, 3));
  const float = await openFloatRunner(dequantizeGraph(graph));
  const integer = await openFileRunner(writeQdq(graph), value.shape);
  const [a, b] = [await float.run(input), await integer.run(input)].map((results) =>
    results.get('logits')!,
  );
  await float.close();
  await integer.close();
  // Half a step in each of five roundings, spread by the classifier's weights.
  a!.forEach((real, i) => {
    expect(Math.abs(real - b![i]!)).toBeLessThan(4 * value.scale);
  });
  expect(Math.max(...a!) - Math.min(...a!)).toBeGreaterThan(8 * value.scale);
});

test('forms are the same network as QDQ and QOperator, u8s8 and s8s8', () => {
  const forms = integerForms(tinyNet());
  expect(forms.map(({ name }) => name.replace('onnxruntime-int8-', ''))).toEqual([
    'qdq-u8s8',
    'qop-u8s8',
    'qdq-s8s8',
    'qop-s8s8',
  ]);
  for (const { name, bytes } of forms) {
    const model = readOnnx(bytes());
    expect(quantizationState(model)).toBe(name.includes('qop') ? 'qop' : 'qdq');
    const dtype = name.includes('-u8') ? 'u8' : 's8';
    expect(importQuantized(model)).toEqual(withActivationType(tinyNet(), dtype));
  }
});

test('random codes use the whole range and repeat with the seed', () => {
  const shape = { dtype: 's8', height: 64, width: 64, channels: 3 } as const;
  const codes = randomCodes(shape, 1);
  expect([Math.min(...codes), Math.max(...codes)]).toEqual([-128, 127]);
  expect(randomCodes(shape, 1)).toEqual(codes);
  expect(randomCodes(shape, 2)).not.toEqual(codes);
});

test('realsOf turns NHWC codes into NCHW reals', () => {
  const shape = {
    dtype: 'u8',
    height: 1,
    width: 2,
    channels: 2,
    scale: 0.5,
    zeroPoint: 10,
  } as const;
  expect([...realsOf(shape, Uint8Array.of(10, 11, 12, 13))]).toEqual([0, 1, 0.5, 1.5]);
});
